import { newId } from '@rapport/service';
import type { PoolClient } from 'pg';
import { wants } from './choices.ts';
import { lockInboxes } from './inbox.ts';
import { insertNotifications } from './insert-notifications.ts';
import type { TellNews } from './news.ts';
import type { NotificationRow } from './notification.ts';
import type { OwnType } from './own-types.ts';
import type { FindRecipients, Recipient } from './recipients.ts';

export interface OwnOptions {
  findRecipients: FindRecipients;
  tellNews: TellNews;
  escalateAfterMs: number;
}

/** One of the product's own types, whose texts are templates: ids and times alone are kept of it. */
export interface OwnNotification {
  readonly userId: string;
  readonly type: OwnType;
  readonly params: Readonly<Record<string, string>>;
  /** From then on it is of no use. */
  readonly expiresAt?: Date;
  /** What it is made once for. */
  readonly key?: string;
}

/** The service whose idempotency keys these are. */
export const OWN_SOURCE = 'notification-service';

/** Notifies users in the transaction of a fact. @returns tells their sockets, after the commit */
export async function notifyOfOwn(
  { findRecipients, tellNews, escalateAfterMs }: OwnOptions,
  client: PoolClient,
  notifications: readonly OwnNotification[],
): Promise<() => void> {
  const recipients = await findRecipients(client, [...new Set(notifications.map(({ userId }) => userId))]);
  const changes = new Map<string, number>();
  for (const { userId } of notifications) changes.set(userId, (changes.get(userId) ?? 0) + 1);
  const versions = await lockInboxes(client, changes);
  const now = new Date();
  const insertions = notifications.map(notification => {
    const { userId } = notification;
    const recipient = recipients.get(userId);
    if (!recipient) throw new Error('a recipient was not looked up');
    const version = (versions.get(userId) ?? 0) + 1;
    versions.set(userId, version);
    return { row: newOwnRow(notification, recipient, now), recipient, version };
  });
  const news = await insertNotifications(client, insertions, escalateAfterMs);
  return () => tellNews(news);
}

export function newOwnRow(
  { userId, type, params, expiresAt, key }: OwnNotification,
  { preferences }: Recipient,
  now: Date,
): NotificationRow {
  return {
    id: newId(),
    userId,
    type,
    priority: 'normal',
    hidden: !wants(preferences, type, 'inApp'),
    params: { ...params },
    sealed: null,
    keyId: null,
    groupKey: null,
    seqs: [],
    source: OWN_SOURCE,
    idempotencyKey: key ?? null,
    bodyHash: null,
    createdAt: now,
    touchedAt: now,
    readAt: null,
    archivedAt: null,
    expiresAt: expiresAt ?? null,
  };
}
