import type { UserRequest } from '@rapport/bus';
import type { UserOutput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import { validate as isUuid } from 'uuid';
import { notYours, participants } from './conversation.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message.ts';
import { MESSAGE_BYTES, PAGE_BYTES } from './page.ts';

/** After the highest `seq` there can be. */
const FROM_THE_END = 2_147_483_647;

/**
 * Answers `message:history`. It goes on when a care relationship has ended: what was written remains theirs. With
 * somebody to whom nothing was ever written it is empty, whoever that is.
 */
export function createReadHistory({ pool, seal }: { pool: Pool; seal: Seal }) {
  return async ({ actor, input }: UserRequest<'message:history'>): Promise<UserOutput<'message:history'>> => {
    const { conversationId, userId, beforeSeq = FROM_THE_END, limit } = input;
    const id =
      userId === undefined
        ? await requireOwn(pool, actor.userId, conversationId ?? '')
        : await findWith(pool, actor.userId, userId);
    if (id === undefined) return { messages: [], hasMore: false };
    const rows = await readPage(pool, id, beforeSeq, limit);
    const messages = rows.map(row => toMessage(row, seal));
    // Nothing is missing among the numbers, so whoever is not the first has one before.
    return { messages, hasMore: (messages[0]?.seq ?? 1) > 1 };
  };
}

async function requireOwn(pool: Pool, userId: string, conversationId: string): Promise<string> {
  if (!isUuid(conversationId)) throw notYours();
  const result = await pool.query<{ id: string }>({
    name: 'history-own',
    text: 'select id from conversation where id = $1 and (user_a = $2 or user_b = $2)',
    values: [conversationId, userId],
  });
  if (!result.rows[0]) throw notYours();
  return result.rows[0].id;
}

async function findWith(pool: Pool, userId: string, otherId: string): Promise<string | undefined> {
  const result = await pool.query<{ id: string }>({
    name: 'history-with',
    text: 'select id from conversation where user_a = $1 and user_b = $2',
    values: participants(userId, otherId),
  });
  return result.rows[0]?.id;
}

/** As many as fit into a page, at least one. What does not fit is not read from the disk. */
async function readPage(pool: Pool, conversationId: string, beforeSeq: number, limit: number): Promise<MessageRow[]> {
  const result = await pool.query<MessageRow>({
    name: 'history-page',
    text: `select ${MESSAGE_COLUMNS} from (
             select m.*, sum(${MESSAGE_BYTES}) over (order by m.seq desc) - (${MESSAGE_BYTES}) as bytes_before
               from (select * from message where conversation_id = $1 and seq < $2 order by seq desc limit $3) m
           ) m
           where m.bytes_before < $4 order by m.seq`,
    types: asDates,
    values: [conversationId, beforeSeq, limit, PAGE_BYTES],
  });
  return result.rows;
}
