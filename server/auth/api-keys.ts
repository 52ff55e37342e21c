import { createHash, randomBytes } from 'node:crypto';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { SCOPES, type ApiKey, type Scope } from '../../shared/protocol/rest.ts';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { Collection, Store } from '../store/port.ts';
import type { Identity, Role } from './identity.ts';

/**
 * API keys: `csn_live_` and 256 random bits in hex. Only the SHA-256 is stored: a key of full entropy needs no slow
 * hash (NIST SP 800-63B section 5.1.1.2 asks for one where secrets are memorized), and a stolen database has no keys.
 */
interface KeyDoc {
  readonly _id: string;
  readonly organizationId: string;
  readonly memberId: string;
  readonly role: Role;
  readonly hash: string;
  readonly prefix: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly lastUsedAt?: string;
  readonly revokedAt?: string;
}

export interface NewKey {
  readonly organizationId: string;
  readonly memberId: string;
  readonly role: Role;
  readonly name: string;
  readonly scopes?: readonly Scope[];
  readonly expiresAt?: string | undefined;
}

const FORM = /^csn_(live|dev)_[0-9a-f]{64}$/;
/** `lastUsedAt` is for people; writing it at every request would make each read a durable write. */
const LAST_USED_PRECISION_MS = 60_000;

export class ApiKeys {
  readonly #keys: Collection<KeyDoc>;
  readonly #clock: Clock;
  readonly #revoked = new Set<(keyId: string) => void>();

  private constructor(keys: Collection<KeyDoc>, clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  static async open(store: Store, clock: Clock): Promise<ApiKeys> {
    const keys = store.collection<KeyDoc>('api_keys');
    await keys.createIndex({ hash: 1 }, { unique: true });
    await keys.createIndex({ organizationId: 1, createdAt: 1 });
    return new ApiKeys(keys, clock);
  }

  /** The only moment at which the key itself exists outside its owner's hands. */
  async create(input: NewKey): Promise<{ apiKey: ApiKey; key: string }> {
    const now = this.#clock.now();
    if (input.expiresAt !== undefined && Date.parse(input.expiresAt) <= now.getTime()) {
      throw new CaissonError('invalid_request', `expiresAt ${input.expiresAt} is in the past.`, {
        details: [{ path: 'expiresAt', message: 'must be in the future' }],
      });
    }
    const key = `csn_live_${randomBytes(32).toString('hex')}`;
    const doc: KeyDoc = {
      _id: newId('key', now.getTime()),
      organizationId: input.organizationId,
      memberId: input.memberId,
      role: input.role,
      hash: hashKey(key),
      prefix: key.slice(0, 'csn_live_'.length + 6),
      name: input.name,
      scopes: input.scopes ?? SCOPES,
      createdAt: now.toISOString(),
      ...(input.expiresAt === undefined ? {} : { expiresAt: input.expiresAt }),
    };
    await this.#keys.insertOne(doc);
    return { apiKey: toApiKey(doc), key };
  }

  /** @returns who the key stands for, or undefined for anything unknown, expired or revoked: the caller tells none apart */
  async authenticate(presented: string): Promise<Identity | undefined> {
    if (!FORM.test(presented)) return undefined;
    return this.#identify(await this.#keys.findOne({ hash: hashKey(presented) }));
  }

  /** The identity behind a key's id: for stream tickets, which were asked for with the key itself. */
  async identify(keyId: string): Promise<Identity | undefined> {
    return this.#identify(await this.#keys.findOne({ _id: keyId }));
  }

  async #identify(doc: KeyDoc | null): Promise<Identity | undefined> {
    if (!doc || doc.revokedAt !== undefined) return undefined;
    const now = this.#clock.now().getTime();
    const expiresAt = doc.expiresAt === undefined ? undefined : Date.parse(doc.expiresAt);
    if (expiresAt !== undefined && expiresAt <= now) return undefined;
    if (doc.lastUsedAt === undefined || now - Date.parse(doc.lastUsedAt) >= LAST_USED_PRECISION_MS) {
      await this.#keys.updateOne({ _id: doc._id }, { $set: { lastUsedAt: new Date(now).toISOString() } });
    }
    return {
      organizationId: doc.organizationId,
      memberId: doc.memberId,
      role: doc.role,
      keyId: doc._id,
      scopes: doc.scopes,
      expiresAt,
    };
  }

  async get(organizationId: string, keyId: string): Promise<ApiKey> {
    const doc = await this.#keys.findOne({ _id: keyId, organizationId });
    if (!doc) throw new CaissonError('not_found', `There is no API key ${keyId}.`);
    return toApiKey(doc);
  }

  async list(
    organizationId: string,
    limit: number,
    cursor: string | undefined,
  ): Promise<{ items: ApiKey[]; nextCursor?: string }> {
    const filter = { organizationId, ...(cursor === undefined ? {} : { _id: { $gt: cursor } }) };
    const docs = await this.#keys.find(filter, { sort: { _id: 1 }, limit: limit + 1 }).toArray();
    const items = docs.slice(0, limit).map(toApiKey);
    const last = items.at(-1);
    return docs.length > limit && last ? { items, nextCursor: last.id } : { items };
  }

  /** Takes effect at once: later requests are refused, and `onRevoked` listeners close what is open. */
  async revoke(organizationId: string, keyId: string): Promise<void> {
    const found = await this.#keys.findOne({ _id: keyId, organizationId });
    if (!found) throw new CaissonError('not_found', `There is no API key ${keyId}.`);
    if (found.revokedAt === undefined) {
      await this.#keys.updateOne({ _id: keyId }, { $set: { revokedAt: this.#clock.now().toISOString() } });
    }
    for (const listener of this.#revoked) listener(keyId);
  }

  onRevoked(listener: (keyId: string) => void): () => void {
    this.#revoked.add(listener);
    return () => this.#revoked.delete(listener);
  }
}

function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function toApiKey(doc: KeyDoc): ApiKey {
  const { _id, hash: _hash, organizationId: _organization, memberId: _member, role: _role, scopes, ...shown } = doc;
  return { id: _id, ...shown, scopes: [...scopes] };
}
