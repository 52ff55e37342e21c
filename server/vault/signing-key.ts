import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { formatNoteKey, type NoteKey, type Sign, type Verify } from '../../shared/audit/checkpoint.ts';
import { createOnce } from './durable-file.ts';
import type { Vault } from './vault.ts';

/** The server's Ed25519 key (RFC 8032) for signing heads of its logs. */
export interface SigningKey {
  readonly noteKey: NoteKey;
  /** The public key as clients keep it (`name+id+base64`). */
  readonly verifierKey: string;
  readonly sign: Sign;
}

/** RFC 8410: every SPKI of an Ed25519 key is these 12 bytes and the 32 of the key. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Reads the server's signing key, or makes it on first start. The file holds the private key sealed by the vault, so
 * that a copy of the data directory without the master key cannot sign.
 * @param name what the key signs as: the server's id; no spaces or plus signs
 * @throws {CaissonError} `internal` when the file was changed or belongs to another master key
 */
export async function loadSigningKey(options: { file: string; name: string; vault: Vault }): Promise<SigningKey> {
  const sealed = (await readSealed(options.file)) ?? (await createSealed(options));
  const privateKey = createPrivateKey({
    key: options.vault.openOwn(sealed, 'signing-key'),
    format: 'der',
    type: 'pkcs8',
  });
  const noteKey: NoteKey = { name: options.name, publicKey: rawPublicKey(privateKey) };
  return {
    noteKey,
    verifierKey: formatNoteKey(noteKey),
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
  };
}

/** Node's Ed25519, in the form that shared/audit asks for. */
export const verifyEd25519: Verify = (publicKey, message, signature) => {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
};

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}

async function readSealed(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function createSealed({ file, vault }: { file: string; vault: Vault }): Promise<string> {
  const der = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  const sealed = vault.sealOwn(der, 'signing-key');
  // An existing key is never replaced, or old signatures would lose their key.
  if (await createOnce(file, sealed)) return sealed;
  return await readFile(file, 'utf8');
}
