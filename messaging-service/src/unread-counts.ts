import type { Pool } from 'pg';

/** What each of the users has left to read, in all of their conversations together. */
export async function countUnread(pool: Pool, userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const result = await pool.query<{ userId: string; unread: number }>({
    name: 'unread-counts',
    text: `select k.user_id as "userId",
                  (coalesce((select sum(unread_a) from conversation where user_a = k.user_id), 0)
                   + coalesce((select sum(unread_b) from conversation where user_b = k.user_id), 0))::int as unread
             from unnest($1::text[]) as k (user_id)`,
    values: [userIds],
  });
  return new Map(result.rows.map(({ userId, unread }) => [userId, unread]));
}
