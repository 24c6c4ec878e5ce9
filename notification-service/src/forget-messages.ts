import type { Fact } from '@rapport/bus';
import { inTransaction, intArray, textArray } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { cancelDeliveries, changeInbox, noteChanges } from './change-inbox.ts';
import { holdInboxes } from './inbox.ts';
import { findOpen, findOpenOf, type ReadMark } from './message-group.ts';
import type { News, TellNews } from './news.ts';

// What is read or deleted needs no notice. Facts come in any order, so both are kept for messages still to be heard of.

/** Reads that come within this time are written together. Somebody may be looking at the count meanwhile. */
export const READ_EVERY_MS = 100;

/** What was read is notified of no more, and a message of it that is heard of later neither. */
export function createForgetReadMessages({ pool, tellNews }: { pool: Pool; tellNews: TellNews }) {
  return async (facts: readonly Fact<'message.read'>[]): Promise<{ repeated: number }> => {
    const marks = furthestOf(facts.map(({ data }) => data));
    tellNews(await inTransaction(pool, client => forgetRead(client, marks)));
    // A mark that comes again moves nothing.
    return { repeated: 0 };
  };
}

/** Of each conversation that a user has read, the mark that is furthest. */
function furthestOf(marks: readonly ReadMark[]): ReadMark[] {
  const furthest = new Map<string, ReadMark>();
  for (const mark of marks) {
    const key = `${mark.userId} ${mark.conversationId}`;
    const before = furthest.get(key);
    if (!before || before.readUpToSeq < mark.readUpToSeq) furthest.set(key, mark);
  }
  return [...furthest.values()];
}

/**
 * Every inbox is locked before a mark is written, whether there is a notification in it or not: `notify` decides under
 * that lock what is unread. Without it, it could miss a mark that is not committed yet while this here misses the
 * notification that is not, which would then stay unread for ever. What waits for a look stays: `notify` leaves out
 * what is read.
 */
async function forgetRead(client: PoolClient, marks: readonly ReadMark[]): Promise<News[]> {
  await holdInboxes(client, [...new Set(marks.map(({ userId }) => userId))]);
  await keepMarks(client, marks);
  const open = await findOpenOf(client, marks);
  await keepUnread(
    client,
    open.filter(({ seqs, unread }) => unread.length > 0 && unread.length < seqs.length),
  );
  const read = open.filter(({ unread }) => unread.length === 0);
  await readThrough(
    client,
    read.map(({ id }) => id),
  );
  const changes = [...Map.groupBy(read, ({ userId }) => userId)].map(
    ([userId, rows]) => [userId, { readIds: rows.map(({ id }) => id) }] as const,
  );
  return noteChanges(client, new Map(changes), new Date());
}

async function keepMarks(client: PoolClient, marks: readonly ReadMark[]): Promise<void> {
  await client.query({
    name: 'conversations-read',
    text: `insert into conversation_read as known (user_id, conversation_id, read_up_to_seq)
           select * from unnest($1::text[], $2::text[], $3::int[])
           on conflict (user_id, conversation_id) do update set read_up_to_seq = excluded.read_up_to_seq
            where known.read_up_to_seq < excluded.read_up_to_seq`,
    values: [
      textArray(marks.map(({ userId }) => userId)),
      textArray(marks.map(({ conversationId }) => conversationId)),
      intArray(marks.map(({ readUpToSeq }) => readUpToSeq)),
    ],
  });
}

async function readThrough(client: PoolClient, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await client.query('update notification set read_at = now() where id = any($1::uuid[])', [ids]);
  await cancelDeliveries(client, ids);
}

/** A message that its sender took back is notified of no more: `notify` leaves it out too. */
export function createForgetDeletedMessage({ tellNews }: { tellNews: TellNews }) {
  return async ({ data }: Fact<'message.deleted'>, client: PoolClient): Promise<() => void> => {
    const { recipientId: userId, conversationId, seq } = data;
    const { news } = await changeInbox(client, userId, new Date(), async () => {
      await client.query({
        name: 'message-deleted',
        text: `insert into deleted_message (conversation_id, seq, heard_at) values ($1, $2, now())
               on conflict do nothing`,
        values: [conversationId, seq],
      });
      const open = await findOpen(client, userId, conversationId);
      if (!open?.seqs.includes(seq)) return undefined;
      const left = open.seqs.filter(other => other !== seq);
      if (left.length > 0) {
        await keepUnread(client, [{ id: open.id, unread: left }]);
        return undefined;
      }
      await client.query('update notification set archived_at = now() where id = $1', [open.id]);
      await cancelDeliveries(client, [open.id]);
      return { archivedIds: [open.id] };
    });
    return () => tellNews(news);
  };
}

async function keepUnread(
  client: PoolClient,
  notifications: readonly { id: string; unread: readonly number[] }[],
): Promise<void> {
  for (const { id, unread } of notifications) {
    await client.query({
      name: 'notification-shrink',
      text: 'update notification set seqs = $2 where id = $1',
      values: [id, unread],
    });
  }
}
