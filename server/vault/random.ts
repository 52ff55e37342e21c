import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);

/**
 * Cryptographically random bytes, taken from the system 4 KiB at a time: for small values the call costs some 10 µs
 * whatever its size, and each event needs two. Every byte is given out once.
 */
export function pooledRandomBytes(count: number): Buffer {
  if (pool.length < count) pool = randomFillSync(Buffer.alloc(Math.max(POOL_BYTES, count)));
  const bytes = pool.subarray(0, count);
  pool = pool.subarray(count);
  return bytes;
}
