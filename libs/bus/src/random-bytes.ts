import { randomBytes as drawRandomBytes } from 'node:crypto';

const POOL_BYTES = 4_096;
let pool = Buffer.alloc(0);
let used = 0;

/** Random bytes from the system, drawn in advance: few at a time they cost more than what they are for. */
export function randomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    // A new one, because the bytes of the last may still be in use.
    pool = drawRandomBytes(Math.max(POOL_BYTES, count));
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}
