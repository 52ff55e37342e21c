import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { CaissonError } from '../../shared/protocol/errors.ts';

/**
 * An encrypted file: a header of 21 bytes (`CSNB`, version 1, 16 bytes of salt), then frames of up to 64 KiB, each
 * AES-256-GCM with its own tag. The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, 2015) as age uses it
 * (https://c2sp.org/age, «Payload»): the nonce is a counter of 11 bytes and a byte that is 1 on the last frame only, under
 * a key derived from the salt. A frame that is missing, repeated or moved does not open, and a file that was cut ends in
 * a frame that does not say it is the last.
 */
export const FRAME_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
export const SALT_BYTES = 16;

const MAGIC = Buffer.from('CSNB\u0001', 'latin1');
export const HEADER_BYTES = MAGIC.length + SALT_BYTES;

export function blobHeader(salt: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, salt]);
}

/** @throws {CaissonError} `internal` when the bytes are not a blob's header */
export function saltOf(header: Uint8Array, path: string): Uint8Array {
  if (header.length !== HEADER_BYTES || !MAGIC.equals(header.subarray(0, MAGIC.length))) {
    throw new CaissonError('internal', `${path} is not an encrypted file of Caisson.`);
  }
  return header.subarray(MAGIC.length);
}

export function frameKey(key: Uint8Array, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, 'caisson/v1/blob', 32));
}

function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

export function sealFrame(key: Uint8Array, index: number, last: boolean, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index, last), { authTagLength: TAG_BYTES });
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([ciphertext, cipher.getAuthTag()]);
}

/** @throws {CaissonError} `internal` when the frame was changed, moved or cut, or another key sealed it */
export function openFrame(key: Uint8Array, index: number, last: boolean, frame: Uint8Array, path: string): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index, last), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(frame.subarray(frame.length - TAG_BYTES));
    const plaintext = decipher.update(frame.subarray(0, frame.length - TAG_BYTES));
    decipher.final();
    return plaintext;
  } catch (cause) {
    throw new CaissonError('internal', `${path} was changed or cut, or another key sealed it (frame ${index}).`, {
      cause,
    });
  }
}
