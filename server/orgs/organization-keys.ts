import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Vault } from '../vault/vault.ts';
import type { Organizations } from './organizations.ts';

/** What an organization's key is wrapped for; its id is not known before it exists. */
export const ORGANIZATION_KEY = 'organization';

/** Seals small values with the key of their organization, which the master key wraps. */
export class OrganizationKeys {
  readonly #organizations: Organizations;
  readonly #vault: Vault;
  readonly #unwrapped = new Map<string, Buffer>();

  constructor(organizations: Organizations, vault: Vault) {
    this.#organizations = organizations;
    this.#vault = vault;
  }

  /** @param context what the value belongs to; opening it with another context fails */
  async seal(organizationId: string, value: string, context: string): Promise<string> {
    const key = await this.#key(organizationId);
    return this.#vault.seal(key, Buffer.from(value, 'utf8'), context).toString('base64');
  }

  async open(organizationId: string, sealed: string, context: string): Promise<string> {
    const key = await this.#key(organizationId);
    return this.#vault.open(key, Buffer.from(sealed, 'base64'), context).toString('utf8');
  }

  async #key(organizationId: string): Promise<Buffer> {
    const known = this.#unwrapped.get(organizationId);
    if (known) return known;
    const organization = await this.#organizations.get(organizationId);
    if (!organization) throw new CaissonError('not_found', `There is no organization ${organizationId}.`);
    const key = this.#vault.unwrap(organization.wrappedKey, ORGANIZATION_KEY);
    this.#unwrapped.set(organizationId, key);
    return key;
  }
}
