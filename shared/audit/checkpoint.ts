import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { ChainHead } from './verify.ts';

/**
 * The signed head of a run's chain, as a C2SP signed note (https://c2sp.org/signed-note) with an Ed25519 signature:
 *
 *     caisson/run/<run id>
 *     <seq>
 *     <base64 of the hash>
 *
 *     — <key name> <base64(4 bytes of key id ‖ signature)>
 *
 * Signing and verifying are handed in, since each platform brings its own Ed25519.
 */
export type Sign = (message: Uint8Array) => Uint8Array;
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** A verifier key: `<name>+<key id, hex>+<base64(0x01 ‖ 32 bytes of public key)>`. */
export interface NoteKey {
  readonly name: string;
  readonly publicKey: Uint8Array;
}

export interface RunHead extends ChainHead {
  readonly runId: string;
}

const ORIGIN = 'caisson/run/';
const ED25519 = Uint8Array.of(0x01);
const NAME = /^[^\s+]+$/u;
const RUN_ID = /^[0-9a-zA-Z_-]+$/;

/** The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key); it points to a key and proves nothing. */
function keyId({ name, publicKey }: NoteKey): Uint8Array {
  return sha256(concatBytes(utf8ToBytes(`${name}\n`), ED25519, publicKey)).slice(0, 4);
}

export function formatNoteKey(key: NoteKey): string {
  return `${key.name}+${bytesToHex(keyId(key))}+${toBase64(concatBytes(ED25519, key.publicKey))}`;
}

/** @throws {TypeError} when the text is not an Ed25519 verifier key, or its key id does not fit */
export function parseNoteKey(text: string): NoteKey {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text.trim());
  const bytes = match && fromBase64(match[3]!);
  if (!match || !bytes || bytes.length !== 33 || bytes[0] !== ED25519[0]) {
    throw new TypeError('This is not an Ed25519 verifier key (name+hash+base64).');
  }
  const key = { name: match[1]!, publicKey: bytes.slice(1) };
  if (bytesToHex(keyId(key)) !== match[2]) throw new TypeError(`The key id of verifier key ${key.name} does not fit.`);
  return key;
}

/** @throws {TypeError} when the key's name or the run's id could not be told apart from what stands around them */
export function signRunHead(head: RunHead, key: NoteKey, sign: Sign): string {
  if (!NAME.test(key.name)) throw new TypeError(`${JSON.stringify(key.name)} is not the name of a note key.`);
  if (!RUN_ID.test(head.runId)) throw new TypeError(`${JSON.stringify(head.runId)} is not a run id.`);
  const text = `${ORIGIN}${head.runId}\n${head.seq}\n${toBase64(hexToBytes(head.hash))}\n`;
  const signature = sign(utf8ToBytes(text));
  return `${text}\n— ${key.name} ${toBase64(concatBytes(keyId(key), signature))}\n`;
}

export type NoteResult =
  | { readonly ok: true; readonly head: RunHead }
  | { readonly ok: false; readonly problem: 'malformed' | 'unsigned' | 'signature'; readonly message: string };

/**
 * Parses a note and checks the signature by `key`. Signatures by other keys are passed over, as the format asks; a
 * note that our key signed wrongly is refused even if it signed it rightly too.
 */
export function openRunHead(note: string, key: NoteKey, verify: Verify): NoteResult {
  // The text ends with the last blank line; it may itself hold blank lines.
  const split = note.lastIndexOf('\n\n');
  const head = split === -1 ? undefined : parseRunHead(note.slice(0, split + 1));
  const lines = note.slice(split + 2).split('\n');
  if (!head || lines.pop() !== '') return malformed('It is not a signed head of a run.');

  const text = utf8ToBytes(note.slice(0, split + 1));
  let signed = false;
  for (const line of lines) {
    const match = /^— ([^\s+]+) (\S+)$/u.exec(line);
    const bytes = match && fromBase64(match[2]!);
    if (!match || !bytes || bytes.length < 5) return malformed('One of its signature lines is not one.');
    if (match[1] !== key.name || bytesToHex(bytes.slice(0, 4)) !== bytesToHex(keyId(key))) continue;
    if (bytes.length !== 4 + 64 || !verify(key.publicKey, text, bytes.slice(4))) {
      return { ok: false, problem: 'signature', message: `The signature by ${key.name} does not fit the head.` };
    }
    signed = true;
  }
  if (!signed) return { ok: false, problem: 'unsigned', message: `The head is not signed by ${key.name}.` };
  return { ok: true, head };
}

function malformed(message: string): NoteResult {
  return { ok: false, problem: 'malformed', message };
}

function parseRunHead(text: string): RunHead | undefined {
  const [origin, seq, hash, ...rest] = text.split('\n');
  if (!origin?.startsWith(ORIGIN) || rest.join('\n') !== '') return undefined;
  const bytes = hash === undefined ? undefined : fromBase64(hash);
  // A leading zero would give one head two texts.
  if (!seq || !/^(0|[1-9][0-9]{0,15})$/.test(seq) || bytes?.length !== 32) return undefined;
  const runId = origin.slice(ORIGIN.length);
  return RUN_ID.test(runId) ? { runId, seq: Number(seq), hash: bytesToHex(bytes) } : undefined;
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Undefined for text that is not exactly what `toBase64` would write: one value, one text. */
function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : undefined;
}
