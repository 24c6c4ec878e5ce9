import { z } from 'zod';
import { invalidPayload } from '@rapport/contracts';

/**
 * About what one page may hold. A NATS message ends at 1 MB, and a gateway cuts off a client for whom as much is
 * waiting: a page leaves room for what else is on its way.
 */
export const PAGE_BYTES = 262_144;
/** What a message costs beside its content: ids, times, names of fields. */
const MESSAGE_OVERHEAD_BYTES = 600;

/** For `message m`: about what it takes in a page. Known without reading the text itself. */
export const MESSAGE_BYTES = `coalesce(octet_length(m.sealed), 0) + ${MESSAGE_OVERHEAD_BYTES}`;

const Position = z.tuple([z.int().min(0).max(8.64e15), z.uuid()]);

/** Where a walk over conversations has got to, latest message first. */
export interface Position {
  readonly lastMessageAt: Date;
  readonly id: string;
}

/** Opaque to clients: what is in it may change, and nothing in it is secret. */
export function toCursor({ lastMessageAt, id }: Position): string {
  return Buffer.from(JSON.stringify([lastMessageAt.getTime(), id])).toString('base64url');
}

/** @throws AppError `INVALID_PAYLOAD` for anything that `toCursor` did not make */
export function readCursor(cursor: string): Position {
  const parsed = Position.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()));
  if (!parsed.success) throw invalidPayload({ path: 'cursor', message: 'must be a nextCursor of an earlier answer' });
  const [time, id] = parsed.data;
  return { lastMessageAt: new Date(time), id };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
