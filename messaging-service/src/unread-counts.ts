import type { GatewayCall } from '@rapport/bus';
import type { GatewayCallOutput } from '@rapport/contracts';
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

/** Answers `message.unread-counts`: what a client is told right after it has connected. */
export function createUnreadCounts({ pool }: { pool: Pool }) {
  return async ({
    input,
  }: GatewayCall<'message.unread-counts'>): Promise<GatewayCallOutput<'message.unread-counts'>> => {
    const counts = await countUnread(pool, [...new Set(input.userIds)]);
    return { unreadMessages: input.userIds.map(userId => counts.get(userId) ?? 0) };
  };
}
