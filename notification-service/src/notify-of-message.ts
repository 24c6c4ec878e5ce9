import type { Fact } from '@rapport/bus';
import type { OutboxRow } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { wants } from './choices.ts';
import { insertFacts } from './facts.ts';
import { countUnread, lockInboxes } from './inbox.ts';
import { createdFact, insertNotifications } from './insert-notifications.ts';
import type { News, TellNews } from './news.ts';
import { findOpen, groupOf } from './message-group.ts';
import type { NotificationRow } from './notification.ts';
import { hasSession, type AskPresence } from './presence.ts';
import { planAgain } from './plan-again.ts';
import type { FindRecipients, Recipient } from './recipients.ts';

export interface MessageOptions {
  askPresence: AskPresence;
  findRecipients: FindRecipients;
  tellNews: TellNews;
  escalateAfterMs: number;
}

/** A notification stands for at most this many messages: by then the number means nothing any more. */
const MAX_SEQS = 1_000;

/**
 * A message for somebody without a session: one notification for each conversation, which grows until it is read.
 * Facts come in any order and more than once, so what is already read or deleted is kept in tables of its own.
 */
export function createNotifyOfMessage(options: MessageOptions) {
  return async ({ data }: Fact<'message.sent'>, client: PoolClient): Promise<(() => void) | undefined> => {
    const { recipientId: userId, conversationId, senderId, seq } = data;
    // Before the lock: it would wait for presence.
    if (hasSession((await options.askPresence([userId])).get(userId))) return undefined;
    const recipient = (await options.findRecipients(client, [userId])).get(userId);
    if (!recipient) throw new Error('a recipient was not looked up');

    const version = ((await lockInboxes(client, new Map([[userId, 1]]))).get(userId) ?? 0) + 1;
    if (await isReadOrDeleted(client, userId, conversationId, seq)) return undefined;
    const open = await findOpen(client, userId, conversationId);
    const news = open
      ? await grow(client, open, seq, recipient, version)
      : await insertNotifications(
          client,
          [{ row: newRow(userId, conversationId, senderId, seq, recipient), recipient, version }],
          options.escalateAfterMs,
        );
    return () => options.tellNews(news);
  };
}

async function isReadOrDeleted(
  client: PoolClient,
  userId: string,
  conversationId: string,
  seq: number,
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'message-over',
    text: `select from conversation_read where user_id = $1 and conversation_id = $2 and read_up_to_seq >= $3
           union all
           select from deleted_message where conversation_id = $2 and seq = $3`,
    values: [userId, conversationId, seq],
  });
  return rowCount !== 0;
}

async function grow(
  client: PoolClient,
  open: NotificationRow,
  seq: number,
  recipient: Recipient,
  version: number,
): Promise<News[]> {
  if (open.seqs.includes(seq)) return [];
  const touchedAt = new Date();
  const row = { ...open, touchedAt, seqs: [...open.seqs, seq].slice(-MAX_SEQS) };
  await client.query({
    name: 'notification-grow',
    text: 'update notification set seqs = $2, touched_at = $3 where id = $1',
    values: [row.id, row.seqs, touchedAt],
  });
  await planAgain(client, row, recipient, touchedAt);
  const fact: OutboxRow<'notification.created'> = createdFact(row, version);
  await insertFacts(client, [fact]);
  const unreadCount = (await countUnread(client, [row.userId])).get(row.userId) ?? 0;
  return [{ fact, row, locale: recipient.locale, state: { unreadCount, version } }];
}

function newRow(
  userId: string,
  conversationId: string,
  senderId: string,
  seq: number,
  { preferences }: Recipient,
): NotificationRow {
  const now = new Date();
  return {
    id: uuidv7(),
    userId,
    type: 'MESSAGE_RECEIVED',
    priority: 'normal',
    hidden: !wants(preferences, 'MESSAGE_RECEIVED', 'inApp'),
    params: { conversationId, userId: senderId },
    sealed: null,
    keyId: null,
    groupKey: groupOf(conversationId),
    seqs: [seq],
    source: 'notification-service',
    idempotencyKey: null,
    bodyHash: null,
    createdAt: now,
    touchedAt: now,
    readAt: null,
    archivedAt: null,
    expiresAt: null,
  };
}
