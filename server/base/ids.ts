import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdPrefix = 'run' | 'env' | 'agt' | 'key' | 'upl' | 'org' | 'mem' | 'srv' | 'apr' | 'req';

/**
 * An id that sorts by time: 10 characters of milliseconds, 16 of randomness, in Crockford's base 32
 * (https://github.com/ulid/spec), lower case, behind a prefix that says what it names.
 */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  let time = '';
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32]! + time;
  let random = '';
  for (const byte of randomBytes(16)) random += ALPHABET[byte % 32]!;
  return `${prefix}_${time}${random}`;
}
