import { randomBytes } from '@rapport/bus';
import { v7 } from 'uuid';

const BYTES = 16;

/** A UUID of version 7: unique, and later ones sort after earlier ones, to the millisecond. */
export function newId(): string {
  return v7({ random: randomBytes(BYTES) });
}
