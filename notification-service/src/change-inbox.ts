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
