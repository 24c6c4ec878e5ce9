import { asDates, inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { CONVERSATION_COLUMNS, type ConversationRow } from './conversation.ts';
import { countUnreadAbove } from './marker-statements.ts';

/** Conversations looked at by one statement, and messages taken from one under one lock: both end within moments. */
const CONVERSATIONS_AT_ONCE = 500;
const MESSAGES_AT_ONCE = 500;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * Takes from every message older than `before` what was written in it, earlier texts too. What is left is a bare
 * tombstone, by which a repeated send is still known. A conversation under a legal hold keeps everything.
 *
 * Each expiry is a change with a version of its own, so that clients that have the text learn of it when they catch
 * up. Nobody is sent an event for it. Any replica may do this at any time, several at once: each batch is a
 * transaction under the lock of its conversation.
 * @returns how many messages expired
 */
export async function expireMessages(pool: Pool, before: Date, now: Date, stopping?: AbortSignal): Promise<number> {
  let expired = 0;
  let after: string | undefined = NIL_UUID;
  while (after !== undefined && !stopping?.aborted) {
    const { ids, last } = await findDue(pool, before, after);
    for (const id of ids) expired += await expireConversation(pool, id, before, now, stopping);
    after = last;
  }
  return expired;
}

/** Of the next conversations those whose oldest message with a text is due, and where to go on. */
async function findDue(pool: Pool, before: Date, after: string): Promise<{ ids: string[]; last: string | undefined }> {
  const result = await pool.query<{ id: string; is_due: boolean }>({
    name: 'expire-find',
    text: `select c.id, oldest.created_at < $1 and not exists (
                    select from legal_hold h where h.conversation_id = c.id and h.released_at is null) as is_due
             from (select id, expired_seq from conversation where id > $2 order by id limit $3) c
             left join message oldest on oldest.conversation_id = c.id and oldest.seq = c.expired_seq + 1
            order by c.id`,
    values: [before, after, CONVERSATIONS_AT_ONCE],
  });
  const ids = result.rows.filter(row => row.is_due).map(({ id }) => id);
  return { ids, last: result.rows.length < CONVERSATIONS_AT_ONCE ? undefined : result.rows.at(-1)?.id };
}

async function expireConversation(
  pool: Pool,
  id: string,
  before: Date,
  now: Date,
  stopping: AbortSignal | undefined,
): Promise<number> {
  let expired = 0;
  for (;;) {
    const batch = await inTransaction(pool, client => expireBatch(client, id, before, now));
    expired += batch;
    if (batch < MESSAGES_AT_ONCE || stopping?.aborted) return expired;
  }
}

async function expireBatch(client: PoolClient, id: string, before: Date, now: Date): Promise<number> {
  const locked = await client.query<ConversationRow>({
    name: 'expire-lock',
    text: `select ${CONVERSATION_COLUMNS} from conversation c where c.id = $1 for update`,
    types: asDates,
    values: [id],
  });
  const [row] = locked.rows;
  if (!row || (await isHeld(client, id))) return 0;
  const count = await takeContent(client, row, before, now);
  if (count === 0) return 0;
  const [unreadA, unreadB] = await countUnreadAbove(client, [
    { conversationId: id, userId: row.userA, seq: row.readSeqA },
    { conversationId: id, userId: row.userB, seq: row.readSeqB },
  ]);
  await client.query({
    name: 'expire-conversation',
    text: `update conversation set version = version + $2, expired_seq = expired_seq + $2, unread_a = $3, unread_b = $4
            where id = $1`,
    values: [id, count, unreadA, unreadB],
  });
  return count;
}

async function isHeld(client: PoolClient, conversationId: string): Promise<boolean> {
  const result = await client.query({
    name: 'expire-held',
    text: 'select from legal_hold where conversation_id = $1 and released_at is null',
    values: [conversationId],
  });
  return result.rowCount !== 0;
}

/**
 * Up to the first message that is not due: those that expired are always the first ones. The clocks of two replicas
 * may differ, so the times need not rise with the numbers.
 */
async function takeContent(client: PoolClient, row: ConversationRow, before: Date, now: Date): Promise<number> {
  const due = await client.query<{ id: string }>({
    name: 'expire-due',
    text: `select id from (
             select id, seq, bool_and(created_at < $3) over (order by seq) as is_due
               from (select id, seq, created_at from message
                      where conversation_id = $1 and seq > $2 order by seq limit $4) oldest
           ) m where is_due order by seq`,
    values: [row.id, row.expiredSeq, before, MESSAGES_AT_ONCE],
  });
  const ids = due.rows.map(({ id }) => id);
  await client.query({
    name: 'expire-revisions',
    text: 'delete from message_revision where message_id = any($1)',
    values: [ids],
  });
  await client.query({
    name: 'expire-messages',
    text: `update message m
              set sealed = null, key_id = null, revision = revision + 1, version = $2 + k.place,
                  message_type = 'TEXT', reply_to_id = null, edited_at = null, deleted_at = coalesce(deleted_at, $3)
             from unnest($1::uuid[]) with ordinality as k (id, place) where m.id = k.id`,
    values: [ids, row.version, now],
  });
  return ids.length;
}
