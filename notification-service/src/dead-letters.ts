import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { AwayChannel } from './delivery.ts';

/** What a person reads in one go; `retry --all` is not bound by it. */
const LISTED = 1_000;

export interface DeadLetter {
  readonly id: string;
  readonly notificationId: string;
  readonly channel: AwayChannel;
  readonly attempts: number;
  readonly lastError: string;
  readonly endedAt: Date;
}

/** How many deliveries there are of each state. */
export async function countDeliveries(pool: Pool): Promise<{ channel: AwayChannel; state: string; count: number }[]> {
  const { rows } = await pool.query<{ channel: AwayChannel; state: string; count: number }>(
    'select channel, state, count(*)::int as count from delivery group by channel, state order by channel, state',
  );
  return rows;
}

/** Deliveries that were given up, the latest first. Without anything that says whose they are. */
export async function listDead(pool: Pool): Promise<DeadLetter[]> {
  const { rows } = await pool.query<DeadLetter>({
    text: `select id, notification_id as "notificationId", channel, attempts, last_error as "lastError",
                  ended_at as "endedAt"
             from delivery where state = 'dead' order by ended_at desc limit $1`,
    types: asDates,
    values: [LISTED],
  });
  return rows;
}

/** Has one of them, or all, tried again as if for the first time. @returns how many */
export async function retryDead(pool: Pool, id?: string): Promise<number> {
  const { rowCount } = await pool.query(
    `update delivery set state = 'pending', attempts = 0, next_attempt_at = now(), ended_at = null
      where state = 'dead' and ($1::uuid is null or id = $1)`,
    [id ?? null],
  );
  return rowCount ?? 0;
}
