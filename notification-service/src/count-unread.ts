import type { ServiceRequest } from '@rapport/bus';
import type { ServiceOutput } from '@rapport/contracts';
import type { Pool } from 'pg';
import { inboxStates } from './inbox.ts';

/** How many unread notifications each of the users has. */
export function createCountUnread({ pool }: { pool: Pool }) {
  return async ({
    input,
  }: ServiceRequest<'notification.unread-counts'>): Promise<ServiceOutput<'notification.unread-counts'>> => {
    const states = await inboxStates(pool, [...new Set(input.userIds)]);
    return { counts: [...states].map(([userId, state]) => ({ userId, ...state })) };
  };
}
