import { AppError, type Appointment } from '@rapport/contracts';
import type { Pool } from 'pg';
import type { Caller } from './caller.ts';
import type { ChangeInput } from './change-appointment.ts';

const HOUR_MS = 60 * 60 * 1_000;
const BATCH = 100;
const SYSTEM: Caller = { kind: 'system' };

/**
 * Cancels the requests that nobody has answered for so long, and those whose time has gone by. What was asked for in
 * one request, as a series, expires at once. Replicas may do so at the same time: for one of them there is nothing left to expire.
 */
export async function expireRequests(
  { pool, expire }: { pool: Pool; expire: (caller: Caller, input: ChangeInput) => Promise<Appointment> },
  { now, afterHours }: { now: Date; afterHours: number },
): Promise<number> {
  let count = 0;
  for (;;) {
    const { rows } = await pool.query<{ id: string; version: number; isUnanswered: boolean }>({
      name: 'appointment-to-expire',
      text: `select distinct on (coalesce(series_id, id)) id, version, requested_at <= $1 as "isUnanswered"
               from appointment
              where status = 'requested' and (requested_at <= $1 or end_at <= $2)
              order by coalesce(series_id, id), start_at limit $3`,
      values: [new Date(now.getTime() - afterHours * HOUR_MS), now, BATCH],
    });
    for (const { id, version, isUnanswered } of rows) {
      const scope = isUnanswered ? 'all' : 'this';
      const input = { appointmentId: id, version, scope, reason: 'expired' } as const;
      // Answered, moved or expired by another replica a moment ago.
      const done = await expire(SYSTEM, input).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'CONFLICT') return undefined;
        throw error;
      });
      if (done) count += 1;
    }
    if (rows.length < BATCH) return count;
  }
}
