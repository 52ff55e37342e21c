import { hkdfSync, randomBytes } from 'node:crypto';
import { open, seal } from './sealed.ts';

interface DataKey {
  /** 32 bytes; only ever in memory. */
  readonly key: Buffer;
  /** The same under the vault's wrapping key, base64: what is stored. Destroying it destroys what the key sealed. */
  readonly wrapped: string;
}

/** Makes and opens the keys that data lies under. It holds the master key's derivatives, never hands out the master. */
export interface Vault {
  /** The passphrase of the embedded database. */
  readonly databaseKey: string;
  /** `context` names what the key is for (a run's id); it must be the same at `unwrap`. */
  createDataKey(context: string): DataKey;
  /** @throws {CaissonError} `internal` when it was wrapped under another master key or for another context */
  unwrap(wrapped: string, context: string): Buffer;
  seal(key: Uint8Array, plaintext: Uint8Array, context: string): Buffer;
  open(key: Uint8Array, sealed: Uint8Array, context: string): Buffer;
  /** For small values that belong to the server itself: the signing key, an environment's secret. */
  sealOwn(plaintext: Uint8Array, context: string): string;
  openOwn(sealed: string, context: string): Buffer;
}

/** One master key, one derived key for each purpose: HKDF-SHA-256 (RFC 5869) with the purpose as info. */
function derive(masterKey: Uint8Array, purpose: 'database' | 'wrapping' | 'own'): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', `caisson/v1/${purpose}`, 32));
}

/** @param masterKey 32 bytes (see loadMasterKey) */
export function createVault(masterKey: Uint8Array): Vault {
  const wrapping = derive(masterKey, 'wrapping');
  const own = derive(masterKey, 'own');
  return {
    databaseKey: derive(masterKey, 'database').toString('hex'),
    createDataKey(context) {
      const key = randomBytes(32);
      return { key, wrapped: seal(wrapping, key, `key/${context}`).toString('base64') };
    },
    unwrap: (wrapped, context) => open(wrapping, Buffer.from(wrapped, 'base64'), `key/${context}`),
    seal,
    open,
    sealOwn: (plaintext, context) => seal(own, plaintext, `own/${context}`).toString('base64'),
    openOwn: (sealed, context) => open(own, Buffer.from(sealed, 'base64'), `own/${context}`),
  };
}
