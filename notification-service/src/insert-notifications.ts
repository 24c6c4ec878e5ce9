import { newId } from '@rapport/service';
import { insertFacts, newFact, type OutboxFact } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { countUnread } from './inbox.ts';
import type { News } from './news.ts';
import type { NotificationRow } from './notification.ts';
import { placesFor, type Recipient } from './recipients.ts';

/** A notification to insert; its user's inbox is locked. */
export interface Insertion {
  readonly row: NotificationRow;
  readonly recipient: Recipient;
  /** The inbox's version after it. */
  readonly version: number;
}

/**
 * Inserts notifications, what is to be delivered of them, and the facts about them, in the caller's transaction.
 * @returns what to tell after the commit
 */
export async function insertNotifications(
  client: PoolClient,
  insertions: readonly Insertion[],
  escalateAfterMs: number,
): Promise<News[]> {
  if (insertions.length === 0) return [];
  await insertRows(
    client,
    insertions.map(({ row }) => row),
  );
  await insertDeliveries(client, insertions, escalateAfterMs);
  const facts = insertions.map(({ row, version }) => createdFact(row, version));
  await insertFacts(client, facts);
  return toNews(client, insertions, facts);
}

export function createdFact(row: NotificationRow, version: number): OutboxFact<'notification.created'> {
  return newFact('notification.created', { notificationId: row.id, userId: row.userId, version }, row.touchedAt);
}

async function toNews(
  client: PoolClient,
  insertions: readonly Insertion[],
  facts: readonly OutboxFact<'notification.created'>[],
): Promise<News[]> {
  const counts = await countUnread(client, [...new Set(insertions.map(({ row }) => row.userId))]);
  // The counts are those after all of them; before the last one of a user there was one less.
  const newsBackwards = insertions
    .map(({ row, recipient, version }, index): News | undefined => {
      const fact = facts[index];
      return fact && { fact, row, reader: recipient.reader, state: { unreadCount: 0, version } };
    })
    .toReversed()
    .flatMap(news => {
      if (!news || !('row' in news)) return [];
      const unreadCount = counts.get(news.row.userId) ?? 0;
      if (isUnread(news.row)) counts.set(news.row.userId, unreadCount - 1);
      return [{ ...news, state: { ...news.state, unreadCount } }];
    });
  return newsBackwards.toReversed();
}

function isUnread({ hidden, expiresAt, touchedAt }: NotificationRow): boolean {
  return !hidden && (!expiresAt || expiresAt > touchedAt);
}

async function insertRows(client: PoolClient, rows: readonly NotificationRow[]): Promise<void> {
  const column = <K extends keyof NotificationRow>(name: K): NotificationRow[K][] => rows.map(row => row[name]);
  await client.query({
    name: 'notification-insert',
    // Arrays of arrays are rectangular in PostgreSQL, so the lists of `seq` travel as JSON.
    text: `insert into notification (id, user_id, type, priority, hidden, params, sealed, key_id, group_key, seqs, source,
                                     idempotency_key, body_hash, created_at, touched_at, expires_at)
           select id, user_id, type, priority, hidden, params, sealed, key_id, group_key,
                  array(select jsonb_array_elements_text(seqs)::int), source, idempotency_key, body_hash, created_at,
                  created_at, expires_at
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::jsonb[], $7::bytea[],
                         $8::text[], $9::text[], $10::jsonb[], $11::text[], $12::text[], $13::bytea[],
                         $14::timestamptz[], $15::timestamptz[])
               as n (id, user_id, type, priority, hidden, params, sealed, key_id, group_key, seqs, source,
                     idempotency_key, body_hash, created_at, expires_at)`,
    values: [
      column('id'),
      column('userId'),
      column('type'),
      column('priority'),
      column('hidden'),
      column('params').map(params => params && JSON.stringify(params)),
      column('sealed'),
      column('keyId'),
      column('groupKey'),
      column('seqs').map(seqs => JSON.stringify(seqs)),
      column('source'),
      column('idempotencyKey'),
      column('bodyHash'),
      column('createdAt'),
      column('expiresAt'),
    ],
  });
}

async function insertDeliveries(
  client: PoolClient,
  insertions: readonly Insertion[],
  escalateAfterMs: number,
): Promise<void> {
  const planned = insertions.flatMap(({ row, recipient }) =>
    placesFor(recipient, row.type, row.touchedAt, escalateAfterMs).map(({ place, at }) => ({ row, place, at })),
  );
  if (planned.length === 0) return;
  await client.query({
    name: 'delivery-insert',
    text: `insert into delivery (id, notification_id, channel, target, state, attempts, next_attempt_at, created_at)
           select id, notification_id, channel, target, 'pending', 0, next_attempt_at, created_at
             from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[])
               as d (id, notification_id, channel, target, next_attempt_at, created_at)`,
    values: [
      planned.map(() => newId()),
      planned.map(({ row }) => row.id),
      planned.map(({ place }) => place.channel),
      planned.map(({ place }) => place.target),
      planned.map(({ at }) => at),
      planned.map(({ row }) => row.touchedAt),
    ],
  });
}
