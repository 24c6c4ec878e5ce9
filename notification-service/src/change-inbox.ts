import type { FactData } from '@rapport/contracts';
import { insertFacts, newFact } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { countUnread, lockInboxes, type InboxState } from './inbox.ts';
import type { News } from './news.ts';

/** What has changed in an inbox: which notifications, by their ids. */
export type InboxChange = Pick<FactData<'notification.changed'>, 'readIds' | 'archivedIds' | 'allRead'>;

export interface ChangedInbox {
  readonly state: InboxState;
  /** What to tell after the commit: nothing when nothing has changed. */
  readonly news: readonly News[];
}

/**
 * Changes one user's inbox, under its lock, in the caller's transaction.
 * @param work resolves to what it has changed, or to `undefined` when that was nothing
 */
export async function changeInbox(
  client: PoolClient,
  userId: string,
  now: Date,
  work: () => Promise<InboxChange | undefined>,
): Promise<ChangedInbox> {
  const before = (await lockInboxes(client, new Map([[userId, 1]]))).get(userId) ?? 0;
  const change = await work();
  const version = before + 1;
  const unreadCount = (await countUnread(client, [userId])).get(userId) ?? 0;
  const state = { unreadCount, version };
  if (!change) return { state, news: [] };
  const fact = newFact('notification.changed', { userId, version, ...change }, now);
  await insertFacts(client, [fact]);
  return { state, news: [{ fact, state }] };
}

/**
 * Notes what was changed in the inboxes of several users, under the locks that the caller holds of them.
 * @returns what to tell after the commit
 */
export async function noteChanges(
  client: PoolClient,
  changes: ReadonlyMap<string, InboxChange>,
  now: Date,
): Promise<News[]> {
  if (changes.size === 0) return [];
  const userIds = [...changes.keys()];
  const before = await lockInboxes(client, new Map(userIds.map(userId => [userId, 1])));
  const counts = await countUnread(client, userIds);
  const news = [...changes].map(([userId, change]) => {
    const version = (before.get(userId) ?? 0) + 1;
    const fact = newFact('notification.changed', { userId, version, ...change }, now);
    return { fact, state: { unreadCount: counts.get(userId) ?? 0, version } };
  });
  await insertFacts(
    client,
    news.map(({ fact }) => fact),
  );
  return news;
}

/** What has not gone out yet stays here: its user has seen it. What is being sent at this moment is asked again. */
export async function cancelDeliveries(client: PoolClient, notificationIds: readonly string[]): Promise<void> {
  if (notificationIds.length === 0) return;
  await client.query({
    name: 'delivery-cancel',
    text: `update delivery set state = 'cancelled', ended_at = now()
            where notification_id = any($1::uuid[]) and state = 'pending'
              and (leased_until is null or leased_until < now())`,
    values: [notificationIds],
  });
}
