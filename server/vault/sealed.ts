import { createCipheriv, createDecipheriv } from 'node:crypto';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { pooledRandomBytes } from './random.ts';

/**
 * AES-256-GCM (NIST SP 800-38D) over a whole value: 12 random bytes of nonce ‖ ciphertext ‖ 16 bytes of tag. With random
 * nonces one key is good for 2^32 values (section 8.3); a run's key seals at most as many as the run has events.
 */
const NONCE = 12;
const TAG = 16;

/** `context` is authenticated but not stored: a value that was moved elsewhere does not open there. */
export function seal(key: Uint8Array, plaintext: Uint8Array, context: string): Buffer {
  const nonce = pooledRandomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG });
  cipher.setAAD(Buffer.from(context));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
}

/** @throws {CaissonError} `internal` when the value was changed, or was sealed under another key or for another place */
export function open(key: Uint8Array, sealed: Uint8Array, context: string): Buffer {
  if (sealed.length < NONCE + TAG) throw new CaissonError('internal', `The sealed value of ${context} is too short.`);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  const plaintext = decipher.update(sealed.subarray(NONCE, sealed.length - TAG));
  try {
    decipher.final();
  } catch (cause) {
    throw new CaissonError('internal', `The sealed value of ${context} was changed, or another key sealed it.`, {
      cause,
    });
  }
  return plaintext;
}
