import type { UserRequestRow } from './rows.ts';
import { userRequests, type UserRequestName } from './table.ts';

// A request that is `batched` has a second form: a list of the same bodies, each with the socket it came from, which
// is answered with a list of the same replies in the same order. What arrives together travels together.

/**
 * Half of what NATS takes in one message, because a reply is longer than what it answers: with so many items by less than
 * 600 bytes each.
 */
export const BATCH_LIMITS = { bytes: 512 * 1024, items: 512 } as const;

export function isBatched(event: UserRequestName): boolean {
  const row: UserRequestRow = userRequests[event];
  return row.batched === true;
}

/** `message:send` → `message:send-batch` */
export function batchOf(event: UserRequestName): string {
  return `${event}-batch`;
}
