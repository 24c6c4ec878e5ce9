import type { GatewayCall } from '@rapport/bus';
import type { GatewayCallOutput } from '@rapport/contracts';
import type { Pool } from 'pg';
import { inboxStates } from './inbox.ts';

/** How many unread notifications each of the users has. */
export function createCountUnread({ pool }: { pool: Pool }) {
  return async ({
    input: { userIds },
  }: GatewayCall<'notification.unread-counts'>): Promise<GatewayCallOutput<'notification.unread-counts'>> => {
    const states = await inboxStates(pool, [...new Set(userIds)]);
    return { counts: userIds.map(userId => states.get(userId)?.unreadCount ?? 0) };
  };
}
