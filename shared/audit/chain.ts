import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { EVENT_VERSION } from '../protocol/version.ts';
import { canonicalJson } from './canonical-json.ts';

/**
 * The hash chain of one run. Each event is reduced to an *entry*, which holds a commitment to the event's data instead
 * of the data, so that the data can be destroyed and the chain still verifies:
 *
 *     commitment = SHA-256(nonce ‖ JCS(data))
 *     leaf[n]    = SHA-256(0x00 ‖ JCS(entry[n]))
 *     hash[n]    = SHA-256(0x01 ‖ hash[n-1] ‖ leaf[n])          hash[0] = 32 zero bytes
 *
 * The two prefixes keep a leaf from ever being taken for a node, as in RFC 9162 section 2.1.1. The nonce keeps short
 * data (an exit code, a yes) from being guessed from its commitment once the data is gone.
 */
export interface ChainEntry {
  readonly runId: string;
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  /** Hex. */
  readonly commitment: string;
}

/** What an event must have for its entry to be computed. */
export interface CommittedEvent {
  readonly runId: string;
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly data: unknown;
  readonly nonce: string;
}

/** The hash before the first event. */
export const GENESIS = '0'.repeat(64);

/**
 * SHA-256, injected where the platform has a faster one: over 1 MiB of data OpenSSL's is about 10 times as fast as the
 * portable one that is the default.
 */
export type Sha256 = (message: Uint8Array) => Uint8Array;
export const portableSha256: Sha256 = (message) => nobleSha256(message);

/** @throws {TypeError} when `data` is not JSON (see canonicalJson) */
export function commit(nonce: string, data: unknown, sha256: Sha256 = portableSha256): string {
  return commitTo(join(hexToBytes(nonce), utf8ToBytes(canonicalJson(data))), sha256);
}

/** The commitment to the nonce's 16 bytes followed by the canonical JSON of the data, for whoever has them at hand. */
export function commitTo(opening: Uint8Array, sha256: Sha256 = portableSha256): string {
  return bytesToHex(sha256(opening));
}

export function entryOf(event: CommittedEvent, sha256: Sha256 = portableSha256): ChainEntry {
  const { runId, seq, at, type, actor } = event;
  return { runId, seq, at, type, actor, commitment: commit(event.nonce, event.data, sha256) };
}

/** The chain's hash at `entry`, given the hash before it; both hex. */
export function extend(previous: string, entry: ChainEntry, sha256: Sha256 = portableSha256): string {
  const { runId, seq, at, type, actor, commitment } = entry;
  const canonical = canonicalJson({ v: EVENT_VERSION, runId, seq, at, type, actor, commitment });
  const leaf = sha256(join(LEAF, utf8ToBytes(canonical)));
  return bytesToHex(sha256(join(NODE, hexToBytes(previous), leaf)));
}

const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
