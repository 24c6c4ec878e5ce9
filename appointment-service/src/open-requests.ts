import { AppError } from '@rapport/contracts';
import type { PoolClient } from 'pg';
import { MAX_OPEN_REQUESTS } from './limits.ts';

/**
 * A client may wait for so many answers at a time; a series is one.
 * @param except what is counted already, when it is moved
 * @throws AppError `CONFLICT`
 */
export async function requireOpenRequests(client: PoolClient, clientId: string, except?: string): Promise<void> {
  const result = await client.query<{ count: number }>({
    name: 'appointment-open-requests',
    text: `select count(distinct coalesce(series_id, id))::int as count from appointment
            where client_id = $1 and status = 'requested' and coalesce(series_id, id) is distinct from $2`,
    values: [clientId, except ?? null],
  });
  if ((result.rows[0]?.count ?? 0) < MAX_OPEN_REQUESTS) return;
  throw new AppError('CONFLICT', `at most ${MAX_OPEN_REQUESTS} requests may be open`);
}
