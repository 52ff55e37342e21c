import type { z } from 'zod';
import { CaissonError } from '../../shared/protocol/errors.ts';
import {
  environmentInput,
  type environmentPatch,
  type Environment,
  type EnvironmentInput,
} from '../../shared/protocol/rest.ts';
import { compilePolicy } from '../../shared/policy/compile.ts';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { Collection, Store } from '../store/port.ts';
import type { OrganizationKeys } from '../orgs/organization-keys.ts';

/** Where runs happen: what an organization allows, gives and forbids its agents. */
interface EnvironmentDoc extends EnvironmentInput {
  readonly _id: string;
  readonly organizationId: string;
  /** Name → value sealed with the organization's key. Values leave this file only for the setup script of a run. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface EnvironmentOptions {
  /** The image of the default environment. */
  readonly image: string;
  /** Hosts of the operator's exceptions, which allow-lists may name although they are not public. */
  readonly operatorNames: readonly string[];
}

export const DEFAULT_ENVIRONMENT = 'default';
const MAX_SECRETS = 50;

export class Environments {
  readonly #docs: Collection<EnvironmentDoc>;
  readonly #keys: OrganizationKeys;
  readonly #clock: Clock;
  readonly #options: EnvironmentOptions;

  private constructor(
    docs: Collection<EnvironmentDoc>,
    keys: OrganizationKeys,
    clock: Clock,
    options: EnvironmentOptions,
  ) {
    this.#docs = docs;
    this.#keys = keys;
    this.#clock = clock;
    this.#options = options;
  }

  static async open(
    store: Store,
    keys: OrganizationKeys,
    clock: Clock,
    options: EnvironmentOptions,
  ): Promise<Environments> {
    const docs = store.collection<EnvironmentDoc>('environments');
    await docs.createIndex({ organizationId: 1, name: 1 }, { unique: true });
    return new Environments(docs, keys, clock, options);
  }

  /** Makes sure that an organization has the environment that runs use when they name none. */
  async ensureDefault(organizationId: string): Promise<void> {
    if (await this.#docs.findOne({ organizationId, name: DEFAULT_ENVIRONMENT })) return;
    await this.create(
      organizationId,
      environmentInput.parse({
        name: DEFAULT_ENVIRONMENT,
        image: this.#options.image,
        description: 'Used by runs that name no other.',
      }),
    );
  }

  async list(organizationId: string): Promise<Environment[]> {
    const docs = await this.#docs.find({ organizationId }, { sort: { name: 1 } }).toArray();
    return docs.map(toEnvironment);
  }

  async get(organizationId: string, idOrName: string): Promise<Environment> {
    return toEnvironment(await this.#find(organizationId, idOrName));
  }

  async create(organizationId: string, input: EnvironmentInput): Promise<Environment> {
    compilePolicy(input.network, this.#options.operatorNames);
    if (await this.#docs.findOne({ organizationId, name: input.name })) throw nameTaken(input.name);
    const now = this.#clock.now().toISOString();
    const doc: EnvironmentDoc = {
      ...input,
      _id: newId('env'),
      organizationId,
      secrets: {},
      createdAt: now,
      updatedAt: now,
    };
    await this.#docs.insertOne(doc);
    return toEnvironment(doc);
  }

  async update(
    organizationId: string,
    idOrName: string,
    patch: z.output<typeof environmentPatch>,
  ): Promise<Environment> {
    const found = await this.#find(organizationId, idOrName);
    const network = merged(found.network, patch.network);
    if (patch.network) compilePolicy(network, this.#options.operatorNames);
    if (patch.name !== undefined && patch.name !== found.name) {
      if (found.name === DEFAULT_ENVIRONMENT)
        throw new CaissonError('conflict', 'The default environment keeps its name, so that runs find it.');
      if (await this.#docs.findOne({ organizationId, name: patch.name })) throw nameTaken(patch.name);
    }
    const resources = merged(found.resources, patch.resources);
    const updatedAt = this.#clock.now().toISOString();
    const changes = merged<Record<string, unknown>>({}, { ...patch, network, resources, updatedAt });
    await this.#docs.updateOne({ _id: found._id }, { $set: changes });
    return this.get(organizationId, found._id);
  }

  async delete(organizationId: string, idOrName: string): Promise<void> {
    const found = await this.#find(organizationId, idOrName);
    if (found.name === DEFAULT_ENVIRONMENT)
      throw new CaissonError('conflict', 'The default environment cannot be deleted; change it instead.');
    await this.#docs.deleteOne({ _id: found._id });
  }

  async setSecret(organizationId: string, idOrName: string, name: string, value: string): Promise<void> {
    const found = await this.#find(organizationId, idOrName);
    if (!(name in found.secrets) && Object.keys(found.secrets).length >= MAX_SECRETS) {
      throw new CaissonError(
        'conflict',
        `Environment ${found.name} already has ${MAX_SECRETS} secrets, which is the limit.`,
      );
    }
    const sealed = await this.#keys.seal(organizationId, value, secretContext(found._id, name));
    await this.#writeSecrets(found, { ...found.secrets, [name]: sealed });
  }

  async deleteSecret(organizationId: string, idOrName: string, name: string): Promise<void> {
    const found = await this.#find(organizationId, idOrName);
    if (!(name in found.secrets))
      throw new CaissonError('not_found', `Environment ${found.name} has no secret ${name}.`);
    const { [name]: _removed, ...rest } = found.secrets;
    await this.#writeSecrets(found, rest);
  }

  /** The values, for the setup script and for the redaction of everything that the run says. */
  async secrets(organizationId: string, environmentId: string): Promise<Readonly<Record<string, string>>> {
    const found = await this.#find(organizationId, environmentId);
    const entries = Object.entries(found.secrets).map(
      async ([name, sealed]) =>
        [name, await this.#keys.open(organizationId, sealed, secretContext(found._id, name))] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  async #writeSecrets(found: EnvironmentDoc, secrets: Record<string, string>): Promise<void> {
    await this.#docs.updateOne({ _id: found._id }, { $set: { secrets, updatedAt: this.#clock.now().toISOString() } });
  }

  async #find(organizationId: string, idOrName: string): Promise<EnvironmentDoc> {
    const doc = await this.#docs.findOne({ organizationId, $or: [{ _id: idOrName }, { name: idOrName }] });
    if (!doc)
      throw new CaissonError(
        'not_found',
        `There is no environment ${JSON.stringify(idOrName)}. \`caisson env list\` shows what there is.`,
      );
    return doc;
  }
}

/** What is there, and over it what was given (RFC 7396, with lists as a whole). */
function merged<T extends object>(current: T, given: { readonly [K in keyof T]?: T[K] | undefined } | undefined): T {
  const changes = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  return { ...current, ...Object.fromEntries(changes) };
}

/** Binds a sealed value to its place: it cannot be moved to another environment or name in the store. */
function secretContext(environmentId: string, name: string): string {
  return `environment-secret:${environmentId}:${name}`;
}

function nameTaken(name: string): CaissonError {
  return new CaissonError('conflict', `There is already an environment named ${name}.`);
}

function toEnvironment(doc: EnvironmentDoc): Environment {
  const { _id, organizationId: _organization, secrets, ...rest } = doc;
  return { id: _id, ...rest, secretNames: Object.keys(secrets).sort() };
}
