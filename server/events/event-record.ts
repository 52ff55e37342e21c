import { createHash } from 'node:crypto';
import { z } from 'zod';
import { commitTo, extend, type ChainEntry, type Sha256 } from '../../shared/audit/chain.ts';
import { canonicalJson } from '../../shared/audit/canonical-json.ts';
import type { ChainLink } from '../../shared/audit/verify.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { eventData, isEventType, type Actor, type NewEvent, type RunEvent } from '../../shared/protocol/events.ts';
import type { Document } from '../store/port.ts';
import { pooledRandomBytes } from '../vault/random.ts';
import type { Vault } from '../vault/vault.ts';
import { limitData } from './limit-data.ts';

/** OpenSSL's: over 1 MiB of data the portable one would hold up the event loop for some 10 ms. */
const sha256: Sha256 = (message) => createHash('sha256').update(message).digest();

const NONCE_BYTES = 16;

/** An event that was checked and committed to, and waits for its place in the chain. */
export interface PreparedEvent {
  readonly type: RunEvent['type'];
  readonly actor: Actor;
  readonly at: string;
  readonly data: unknown;
  /** The nonce's 16 bytes and the canonical JSON of the data: what the commitment opens to, and what is sealed. */
  readonly opening: Buffer;
  readonly commitment: string;
}

/** An event at rest. Everything that the chain needs is in the clear; the data and its nonce are sealed. */
const recordFields = z.object({
  _id: z.string(),
  runId: z.string(),
  seq: z.number(),
  at: z.string(),
  type: z.string(),
  actor: z.string(),
  commitment: z.string(),
  hash: z.string(),
  /** Bytes of the openings of all events of the run up to this one. */
  total: z.number(),
  /** The opening, sealed with the run's data key for this place; base64. */
  sealed: z.string(),
});
export type EventRecord = z.infer<typeof recordFields> & Document;

/** Sorts as numbers do up to 10 digits, which is far above the limit of events in a run. */
export function recordId(runId: string, seq: number): string {
  return `${runId}/${String(seq).padStart(10, '0')}`;
}

/**
 * @throws {CaissonError} `internal` when the data does not fit its type, which is a mistake of the caller's;
 *   `payload_too_large` when it cannot be cut to `maxBytes`
 */
export function prepareEvent(event: NewEvent, at: string, maxBytes: number): PreparedEvent {
  const { type, actor } = event;
  const parsed = isEventType(type) ? eventData[type].safeParse(limitData(event.data, maxBytes)) : undefined;
  if (!parsed?.success) {
    const issues = parsed?.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new CaissonError('internal', `This is not the data of a ${type} event: ${issues ?? 'there is no such type'}`);
  }
  const opening = Buffer.concat([pooledRandomBytes(NONCE_BYTES), Buffer.from(canonicalJson(parsed.data))]);
  return { type, actor, at, data: parsed.data, opening, commitment: commitTo(opening, sha256) };
}

/** The place where an event goes: after the last one, whose hash it extends. */
export interface Place {
  readonly seq: number;
  readonly hash: string;
  readonly total: number;
}

/** Puts the event behind `last` in the run's chain. */
export function placeEvent(
  runId: string,
  last: Place,
  event: PreparedEvent,
  vault: Vault,
  key: Uint8Array,
): { record: EventRecord; event: RunEvent } {
  const { type, actor, at, data, opening, commitment } = event;
  const entry: ChainEntry = { runId, seq: last.seq + 1, at, type, actor, commitment };
  const hash = extend(last.hash, entry, sha256);
  const _id = recordId(runId, entry.seq);
  const sealed = vault.seal(key, opening, _id).toString('base64');
  const nonce = opening.toString('hex', 0, NONCE_BYTES);
  return {
    record: { _id, ...entry, hash, total: last.total + opening.length, sealed },
    // The data was parsed by the schema of this very type.
    event: { runId, seq: entry.seq, at, type, actor, data, nonce, hash } as RunEvent,
  };
}

/** @throws {CaissonError} `internal` when the record was changed on disk */
export function openRecord(stored: unknown, vault: Vault, key: Uint8Array): RunEvent {
  const { _id, runId, seq, at, type, actor, hash, sealed } = recordFields.parse(stored);
  const opening = vault.open(key, Buffer.from(sealed, 'base64'), _id);
  const nonce = opening.toString('hex', 0, NONCE_BYTES);
  const data: unknown = JSON.parse(opening.toString('utf8', NONCE_BYTES));
  // The data was parsed before it was sealed, and the seal shows that it is the same.
  return { runId, seq, at, type, actor, data, nonce, hash } as RunEvent;
}

/** What is left of an event when its data is gone, and is enough to verify the chain. */
export function linkOf(stored: unknown): ChainLink {
  const { runId, seq, at, type, actor, commitment, hash } = recordFields.parse(stored);
  return { runId, seq, at, type, actor, commitment, hash };
}
