import type { GatewayCall } from '@rapport/bus';
import type { GatewayCallOutput } from '@rapport/contracts';
import type { Pool } from 'pg';

/** What each of the users has left to read, in all of their conversations together. */
export function createCountUnread({ pool }: { pool: Pool }) {
  return async ({
    input: { userIds },
  }: GatewayCall<'message.unread-counts'>): Promise<GatewayCallOutput<'message.unread-counts'>> => {
    const result = await pool.query<{ unread: number }>({
      name: 'unread-counts',
      text: `select (coalesce((select sum(unread_a) from conversation where user_a = k.user_id), 0)
                     + coalesce((select sum(unread_b) from conversation where user_b = k.user_id), 0))::int as unread
               from unnest($1::text[]) with ordinality as k (user_id, place) order by k.place`,
      values: [userIds],
    });
    return { counts: result.rows.map(({ unread }) => unread) };
  };
}
