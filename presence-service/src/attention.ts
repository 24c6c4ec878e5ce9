import { pingBus, type Bus } from '@rapport/bus';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';

/** Milliseconds without NATS, PostgreSQL or a turn of its own after which this process may have missed a gateway. */
const MOST_DEAF_MS = 5_000;

export interface Attention {
  /** By the clock of the database. */
  readonly now: Date;
  /** Since when this process could have heard any gateway, without a pause that mattered. */
  readonly since: Date;
}

/** Since when somebody has been listening, who has just heard something. Times are milliseconds of one clock. */
export function heardSince(
  before: { at: number; since: number } | undefined,
  now: number,
): { at: number; since: number } {
  return { at: now, since: before && now - before.at <= MOST_DEAF_MS ? before.since : now };
}

/**
 * Tells silence from deafness: a gateway is silent only to somebody who could have heard it. Whoever was paused, or
 * without NATS or PostgreSQL, starts to listen anew.
 * @returns looks, and rejects when NATS or PostgreSQL is not there
 */
export function createAttention(bus: Bus, pool: Pool): () => Promise<Attention> {
  let heard: { at: number; since: number } | undefined;
  return async () => {
    await pingBus(bus);
    const { rows } = await pool.query<{ now: Date }>({
      name: 'now',
      text: `select clock_timestamp() as now`,
      types: asDates,
    });
    const at = performance.now();
    const now = rows[0]?.now ?? new Date();
    heard = heardSince(heard, at);
    return { now, since: new Date(now.getTime() - (at - heard.since)) };
  };
}
