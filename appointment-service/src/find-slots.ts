import { invalidPayload, type UserInput, type UserOutput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import { LIVE } from './appointment.ts';
import { hoursOf } from './availability.ts';
import type { Caller } from './caller.ts';
import type { RequireContact } from './contact-policy.ts';
import { horizonOf } from './limits.ts';
import { freeSlots, type Span } from './working-hours.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const MAX_SPAN_MS = 31 * DAY_MS;
/** What fits into a reply with room to spare: 80 bytes each. */
const MAX_SLOTS = 5_000;
const MINUTE_MS = 60_000;

/** When a therapist can be booked: in the working hours, and where nothing is booked. */
export function createFindSlots(options: {
  pool: Pool;
  requireContact: RequireContact;
  bufferMs: number;
  now: () => Date;
}) {
  const { pool, requireContact, bufferMs, now } = options;
  return async (
    caller: Caller,
    { therapistId, from, to, durationMinutes }: UserInput<'appointment:slots'>,
  ): Promise<UserOutput<'appointment:slots'>> => {
    const asked = { start: new Date(from), end: new Date(to) };
    if (asked.end <= asked.start) throw invalidPayload({ path: 'to', message: 'must be after from' });
    if (asked.end.getTime() - asked.start.getTime() > MAX_SPAN_MS) {
      throw invalidPayload({ path: 'to', message: 'must be at most 31 days after from' });
    }
    await requireContact(caller, therapistId);
    const within = clipped(asked, now());
    if (within.end <= within.start) return { slots: [] };
    const [hours, taken] = await Promise.all([hoursOf(pool, therapistId), takenBetween(pool, therapistId, within)]);
    const durationMs = durationMinutes * MINUTE_MS;
    const slots = freeSlots({ hours, taken, within, durationMs, bufferMs, limit: MAX_SLOTS });
    return {
      slots: slots.map(({ start, end }) => ({ startTime: start.toISOString(), endTime: end.toISOString() })),
    };
  };
}

/** What can be booked at all: nothing in the past, nothing beyond two years. */
function clipped({ start, end }: Span, now: Date): Span {
  const horizon = horizonOf(now);
  return { start: start < now ? now : start, end: end > horizon ? horizon : end };
}

async function takenBetween(pool: Pool, therapistId: string, { start, end }: Span): Promise<Span[]> {
  const result = await pool.query<Span>({
    name: 'appointment-taken',
    text: `select start_at as start, blocked_until as end from appointment
            where therapist_id = $1 and status = any($2)
              and tstzrange(start_at, blocked_until) && tstzrange($3, $4::timestamptz + interval '1 day')`,
    types: asDates,
    values: [therapistId, LIVE, start, end],
  });
  return result.rows;
}
