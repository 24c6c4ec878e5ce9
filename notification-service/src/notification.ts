import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Notification } from '@rapport/contracts';
import type { Seal } from '@rapport/service/seal';
import type { OwnType } from './own-types.ts';
import type { TextsOf } from './texts.ts';

/** Something that a user was told, as their inbox keeps it. */
export const NotificationEntity = defineEntity({
  name: 'Notification',
  tableName: 'notification',
  uniques: [{ name: 'notification_idempotency', properties: ['source', 'idempotencyKey'] }],
  properties: {
    id: p.uuid().primary(),
    userId: p.text(),
    type: p.text(),
    priority: p.text().$type<Notification['priority']>(),
    /** The user wants this type on other channels alone: not listed, not counted. */
    hidden: p.boolean(),
    /** Of the product's own types: what the app needs to show it, ids alone. */
    params: p.json<Record<string, string>>().nullable(),
    /** Of the types of others: title, message and data, encrypted. */
    sealed: p.blob().nullable(),
    keyId: p.text().nullable(),
    /** Of what is told once for many: `message/<conversation>`. */
    groupKey: p.text().nullable(),
    /** The messages that it stands for, by their `seq`. */
    seqs: p.array<number>(),
    /** The service that asked for it, whose idempotency keys are its own. */
    source: p.text(),
    idempotencyKey: p.text().nullable(),
    bodyHash: p.blob().nullable(),
    createdAt: p.datetime(3),
    /** When it was made or last grew: the order of the list. */
    touchedAt: p.datetime(3),
    readAt: p.datetime(3).nullable(),
    archivedAt: p.datetime(3).nullable(),
    expiresAt: p.datetime(3).nullable(),
  },
});
export type NotificationRow = InferEntity<typeof NotificationEntity>;

/** What is encrypted of a notification. */
type OwnWords = Pick<Notification, 'title' | 'message' | 'data'>;

/** The columns of a row of `notification n`, by the names of its properties. */
export const NOTIFICATION_COLUMNS = `
  n.id, n.user_id as "userId", n.type, n.priority, n.hidden, n.params, n.sealed, n.key_id as "keyId",
  n.group_key as "groupKey", n.seqs, n.source, n.idempotency_key as "idempotencyKey", n.body_hash as "bodyHash",
  n.created_at as "createdAt", n.touched_at as "touchedAt", n.read_at as "readAt", n.archived_at as "archivedAt",
  n.expires_at as "expiresAt"`;

/** For whom a row is shown: the language and the zone of their profile. */
export interface Reader {
  readonly locale: string | null;
  readonly timeZone: string | null;
}

/** Shows a row as the contract says. */
export type ShowNotification = (row: NotificationRow, reader: Reader) => Notification;

/** What sealed words belong to: in another row they do not open. */
export function wordsOf(notificationId: string): string {
  return `notification/${notificationId}`;
}

export function createShowNotification({ seal, textsOf }: { seal: Seal; textsOf: TextsOf }): ShowNotification {
  const words = (row: NotificationRow, { locale, timeZone }: Reader): OwnWords =>
    row.sealed && row.keyId
      ? (seal.open(row.sealed, row.keyId, wordsOf(row.id)) as OwnWords)
      : // A row without words of its own is of one of the product's own types.
        textsOf(locale).ofOwnType(row.type as OwnType, {
          count: Math.max(1, row.seqs.length),
          at: row.params?.['startTime'] === undefined ? undefined : new Date(row.params['startTime']),
          timeZone: timeZone ?? row.params?.['timeZone'],
        });
  return (row, reader) => {
    const { title, message, data } = words(row, reader);
    return {
      id: row.id,
      type: row.type,
      title,
      message,
      createdAt: row.createdAt.toISOString(),
      ...(row.touchedAt > row.createdAt && { updatedAt: row.touchedAt.toISOString() }),
      ...dataOf(row, data),
      priority: row.priority,
      ...(row.readAt && { readAt: row.readAt.toISOString() }),
      ...(row.archivedAt && { archivedAt: row.archivedAt.toISOString() }),
      ...(row.expiresAt && { expiresAt: row.expiresAt.toISOString() }),
    };
  };
}

function dataOf(row: NotificationRow, data: OwnWords['data']): { data?: Record<string, unknown> } {
  if (data) return { data };
  if (!row.params) return {};
  return { data: row.seqs.length > 0 ? { ...row.params, count: row.seqs.length } : row.params };
}
