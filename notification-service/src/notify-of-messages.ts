import { insertFacts, inTransaction, repeat } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { countUnread, lockInboxes } from './inbox.ts';
import { createdFact, insertNotifications } from './insert-notifications.ts';
import { findOpen, groupOf } from './message-group.ts';
import type { News, TellNews } from './news.ts';
import type { NotificationRow } from './notification.ts';
import { newOwnRow } from './notify-of-own.ts';
import { planAgain } from './plan-again.ts';
import { hasSession, UNKNOWN_WAIT_MS, type AskPresence } from './presence.ts';
import type { FindRecipients, Recipient } from './recipients.ts';
import { LOOK_AGAIN_MS } from './waiting-messages.ts';

export interface MessagesOptions {
  pool: Pool;
  log: Logger;
  askPresence: AskPresence;
  findRecipients: FindRecipients;
  tellNews: TellNews;
  escalateAfterMs: number;
  stopping: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
}

const LOOK_EVERY_MS = 250;
/** As many as presence answers for at once. */
const USERS = 200;
/** A notification stands for at most this many messages: by then the number means nothing any more. */
const MAX_SEQS = 1_000;

/** Tells those who have no session that there are messages for them: once for each conversation, until it is read. */
export function startNotifyingOfMessages(options: MessagesOptions): void {
  const look = async (): Promise<void> => {
    while (!options.stopping.aborted && (await lookOnce(options))) {
      // There are more.
    }
  };
  const loop = repeat('look at messages', LOOK_EVERY_MS, look, options.log, options.stopping);
  options.onStop('messages', () => loop);
}

/** @returns whether there may be more to look at */
async function lookOnce(options: MessagesOptions): Promise<boolean> {
  const { pool, askPresence, stopping } = options;
  const { rows } = await pool.query<{ userId: string; waitedMs: number }>({
    name: 'messages-due',
    text: `select user_id as "userId", (extract(epoch from now() - min(look_at)) * 1000)::float8 as "waitedMs"
             from (select user_id, look_at from waiting_message where look_at <= now() order by look_at limit 5000) due
            group by user_id order by min(look_at) limit $1`,
    values: [USERS],
  });
  if (rows.length === 0) return false;
  const statuses = await askPresence(rows.map(({ userId }) => userId));
  const present = rows.filter(({ userId }) => hasSession(statuses.get(userId)));
  const waiting = rows.filter(
    ({ userId, waitedMs }) => statuses.get(userId) === 'unknown' && waitedMs < UNKNOWN_WAIT_MS,
  );
  await lookAgain(
    pool,
    present.map(({ userId }) => userId),
  );
  const absent = rows.filter(row => !present.includes(row) && !waiting.includes(row));
  for (const { userId } of absent) {
    if (stopping.aborted) return false;
    const news = await inTransaction(pool, client => notify(options, client, userId));
    options.tellNews(news);
  }
  return rows.length === USERS && waiting.length === 0;
}

/** What was looked at twice has reached its recipient: they were there all the time. */
async function lookAgain(pool: Pool, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return;
  await pool.query({
    name: 'messages-present',
    text: `with seen as (delete from waiting_message where user_id = any($1) and look_at <= now() and looked > 0)
           update waiting_message set looked = 1, look_at = now() + $2 * interval '1 millisecond'
            where user_id = any($1) and look_at <= now() and looked = 0`,
    values: [userIds, LOOK_AGAIN_MS],
  });
}

/** Under the lock of the inbox: a replica that comes second finds nothing left. */
async function notify(options: MessagesOptions, client: PoolClient, userId: string): Promise<News[]> {
  const recipient = (await options.findRecipients(client, [userId])).get(userId);
  if (!recipient) throw new Error('a recipient was not looked up');
  let version = (await lockInboxes(client, new Map([[userId, 0]]))).get(userId) ?? 0;
  // In one statement: what commits while it runs stays for the next look.
  const { rows } = await client.query<{ conversationId: string; senderId: string; seqs: number[] }>({
    name: 'messages-take',
    text: `with taken as (
             delete from waiting_message where user_id = $1
              returning conversation_id, sender_id, coalesce(seqs, int4multirange(int4range(seq, seq, '[]'))) as seqs),
           unread as (
             select conversation_id, sender_id,
                    seqs
                    - int4multirange(int4range(null, coalesce((
                        select read_up_to_seq from conversation_read r
                         where r.user_id = $1 and r.conversation_id = t.conversation_id), 0), '[]'))
                    - coalesce((
                        select range_agg(int4range(seq, seq, '[]')) from deleted_message d
                         where d.conversation_id = t.conversation_id
                           and d.seq >= lower(t.seqs) and d.seq < upper(t.seqs)), '{}') as seqs
               from taken t)
           select conversation_id as "conversationId", sender_id as "senderId", array_agg(seq order by seq) as seqs
             from unread, unnest(unread.seqs) as range, generate_series(lower(range), upper(range) - 1) as seq
            group by conversation_id, sender_id`,
    values: [userId],
  });
  if (rows.length === 0) return [];
  await lockInboxes(client, new Map([[userId, rows.length]]));
  const news: News[] = [];
  for (const { conversationId, senderId, seqs } of rows) {
    version += 1;
    const open = await findOpen(client, userId, conversationId);
    news.push(
      ...(open
        ? await grow(client, open, seqs, recipient, version)
        : await begin(client, { userId, conversationId, senderId, seqs }, recipient, version, options.escalateAfterMs)),
    );
  }
  return news;
}

async function begin(
  client: PoolClient,
  {
    userId,
    conversationId,
    senderId,
    seqs,
  }: { userId: string; conversationId: string; senderId: string; seqs: number[] },
  recipient: Recipient,
  version: number,
  escalateAfterMs: number,
): Promise<News[]> {
  const row: NotificationRow = {
    ...newOwnRow(
      { userId, type: 'MESSAGE_RECEIVED', params: { conversationId, userId: senderId } },
      recipient,
      new Date(),
    ),
    groupKey: groupOf(conversationId),
    seqs: seqs.slice(-MAX_SEQS),
  };
  return insertNotifications(client, [{ row, recipient, version }], escalateAfterMs);
}

async function grow(
  client: PoolClient,
  open: NotificationRow,
  seqs: readonly number[],
  recipient: Recipient,
  version: number,
): Promise<News[]> {
  const touchedAt = new Date();
  const row = { ...open, touchedAt, seqs: [...new Set([...open.seqs, ...seqs])].slice(-MAX_SEQS) };
  await client.query({
    name: 'notification-grow',
    text: 'update notification set seqs = $2, touched_at = $3 where id = $1',
    values: [row.id, row.seqs, touchedAt],
  });
  await planAgain(client, row, recipient, touchedAt);
  const fact = createdFact(row, version);
  await insertFacts(client, [fact]);
  const unreadCount = (await countUnread(client, [row.userId])).get(row.userId) ?? 0;
  return [{ fact, row, reader: recipient.reader, state: { unreadCount, version } }];
}
