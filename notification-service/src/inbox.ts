import { textArray } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';

/** How an inbox stands: the count of two that has the higher version holds. */
export interface InboxState {
  readonly unreadCount: number;
  readonly version: number;
}

/** What counts as unread. Expired ones do not, even before they are put away. */
const UNREAD = `read_at is null and archived_at is null and not hidden
                and (expires_at is null or expires_at > now())`;

/**
 * Locks the inboxes, made if they are new, until the transaction ends: whatever changes an inbox does so after the
 * other, and counts after it. In the order of the ids, so that two that lock several never wait for each other.
 * @param changes how many changes each user's inbox is about to see; its version rises by as many
 * @returns the version before them
 */
export async function lockInboxes(
  client: PoolClient,
  changes: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const { rows } = await client.query<{ userId: string; version: number }>({
    name: 'inbox-lock',
    text: `insert into inbox (user_id, version)
           select * from unnest($1::text[], $2::int[]) as i (user_id, changes) order by user_id collate "C"
           on conflict (user_id) do update set version = inbox.version + excluded.version
           returning user_id as "userId", version`,
    values: [[...changes.keys()], [...changes.values()]],
  });
  return new Map(rows.map(({ userId, version }) => [userId, version - (changes.get(userId) ?? 0)]));
}

/**
 * Locks the inboxes as above, for what may change none of them: their versions stay. A row whose update is left out is
 * locked all the same.
 */
export async function holdInboxes(client: PoolClient, userIds: readonly string[]): Promise<void> {
  await client.query({
    name: 'inbox-hold',
    text: `insert into inbox (user_id, version)
           select user_id, 0 from unnest($1::text[]) as i (user_id) order by user_id collate "C"
           on conflict (user_id) do update set version = inbox.version where false`,
    values: [textArray(userIds)],
  });
}

/** Counts the unread rows: nothing is kept that could drift away from them. */
export async function countUnread(
  database: Pool | PoolClient,
  userIds: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await database.query<{ userId: string; count: number }>({
    name: 'inbox-count',
    text: `select u.id as "userId", (select count(*)::int from notification where user_id = u.id and ${UNREAD}) as count
             from unnest($1::text[]) as u (id)`,
    values: [userIds],
  });
  return new Map(rows.map(({ userId, count }) => [userId, count]));
}

/** How the inboxes stand now, in one snapshot. */
export async function inboxStates(
  database: Pool | PoolClient,
  userIds: readonly string[],
): Promise<Map<string, InboxState>> {
  const { rows } = await database.query<InboxState & { userId: string }>({
    name: 'inbox-states',
    text: `select u.id as "userId", coalesce(i.version, 0) as version,
                  (select count(*)::int from notification where user_id = u.id and ${UNREAD}) as "unreadCount"
             from unnest($1::text[]) as u (id) left join inbox i on i.user_id = u.id`,
    values: [userIds],
  });
  return new Map(rows.map(({ userId, version, unreadCount }) => [userId, { version, unreadCount }]));
}
