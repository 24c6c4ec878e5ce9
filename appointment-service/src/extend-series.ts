import type { BusLog } from '@rapport/bus';
import { newId } from '@rapport/service';
import { asDates, inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { APPOINTMENT_COLUMNS, LIVE, type AppointmentRow } from './appointment.ts';
import type { BookingOptions } from './book-appointment.ts';
import { horizonOf } from './limits.ts';
import { lockParties } from './parties.ts';
import { occurrencesOf, type Occurrence, type SeriesRule } from './series.ts';
import { writeChanges, type AppointmentChange } from './write-appointments.ts';

/** An endless series is laid out further once a week's worth has become bookable. */
const STEP_MS = 7 * 24 * 60 * 60 * 1_000;

interface EndlessSeries extends SeriesRule {
  readonly id: string;
  readonly movedMs: number;
  readonly durationMs: number;
  readonly laidOutTo: Date;
}

/**
 * Lays endless series out further, so that each reaches two years ahead at any time. An occurrence whose time is
 * taken by something else is left out and logged: it is two years away, and the others must go on.
 */
export async function extendSeries(options: BookingOptions & { log: BusLog }, now: Date): Promise<void> {
  const { rows } = await options.pool.query<{ id: string }>(
    'select id from series where is_endless and laid_out_to < $1 order by laid_out_to',
    [new Date(horizonOf(now).getTime() - STEP_MS)],
  );
  for (const { id } of rows) await extendOne(options, id, now);
}

async function extendOne(options: BookingOptions & { log: BusLog }, id: string, now: Date): Promise<void> {
  const { pool, outbox, tellChange, log } = options;
  const latest = await latestOccurrence(pool, id);
  if (!latest) {
    await pool.query('update series set is_endless = false where id = $1', [id]);
    return;
  }
  const { changes, facts, left } = await inTransaction(pool, async client => {
    await lockParties(client, latest);
    return extend(client, options, id, now);
  });
  for (const [index, fact] of facts.entries()) {
    const row = changes[index]?.after;
    if (row) tellChange(fact, row);
    outbox.publish(fact);
  }
  if (left > 0) log.warn({ series: id, left }, 'occurrences of an endless series were left out: their time is taken');
}

async function extend(client: PoolClient, { bufferMs, defaultOffsets }: BookingOptions, id: string, now: Date) {
  const nothing = { changes: [], facts: [], left: 0 };
  const series = await readSeries(client, id);
  // Under the locks of the parties nobody else changes it now.
  const like = await latestOccurrence(client, id);
  const until = horizonOf(now);
  if (!series || !like || series.laidOutTo >= until) return nothing;
  const range = { after: series.laidOutTo, until };
  const rows = occurrencesOf(series, range, series.movedMs).map(each => rowLike(like, each, series, bufferMs, now));
  const free = await freeOnes(client, rows);
  await client.query('update series set laid_out_to = $2 where id = $1', [id, until]);
  const changes = free.map((after): AppointmentChange => ({ before: undefined, after }));
  const set = { kind: 'extend', caller: { kind: 'system' }, changes, now } as const;
  return { changes, facts: await writeChanges(client, set, defaultOffsets), left: rows.length - free.length };
}

function rowLike(
  like: AppointmentRow,
  { startAt, wall, wallTime }: Occurrence,
  { durationMs }: EndlessSeries,
  bufferMs: number,
  now: Date,
): AppointmentRow {
  const endAt = new Date(startAt.getTime() + durationMs);
  return {
    ...like,
    id: newId(),
    version: 1,
    startAt,
    endAt,
    blockedUntil: new Date(endAt.getTime() + bufferMs),
    wallStart: wall,
    wallTime: wallTime ?? null,
    reason: null,
    createdAt: now,
    updatedAt: now,
  };
}

/** The occurrence whose status, people and name the next ones have: the last that still stands. */
async function latestOccurrence(database: Pool | PoolClient, id: string): Promise<AppointmentRow | undefined> {
  const result = await database.query<AppointmentRow>({
    name: 'series-latest',
    text: `select ${APPOINTMENT_COLUMNS} from appointment where series_id = $1 and status = any($2)
            order by start_at desc limit 1`,
    types: asDates,
    values: [id, LIVE],
  });
  return result.rows[0];
}

async function readSeries(client: PoolClient, id: string): Promise<EndlessSeries | undefined> {
  const result = await client.query<EndlessSeries>({
    text: `select id, recurrence, time_zone as "timeZone", wall_start as "wallStart", duration_ms as "durationMs",
                  moved_ms::float8 as "movedMs", laid_out_to as "laidOutTo"
             from series where id = $1 and is_endless`,
    types: asDates,
    values: [id],
  });
  return result.rows[0];
}

/** The exclusion constraints still have the last word; under the locks of both parties this says the same. */
async function freeOnes(client: PoolClient, rows: readonly AppointmentRow[]): Promise<AppointmentRow[]> {
  const result = await client.query<{ number: number }>({
    text: `select n.number::int from unnest($1::timestamptz[], $2::timestamptz[]) with ordinality as n (start, until, number)
            where not exists (select from appointment a
                               where (a.therapist_id = $3 or a.client_id = $4) and a.status = any($5)
                                 and tstzrange(a.start_at, a.blocked_until) && tstzrange(n.start, n.until))`,
    values: [
      rows.map(({ startAt }) => startAt),
      rows.map(({ blockedUntil }) => blockedUntil),
      rows[0]?.therapistId ?? '',
      rows[0]?.clientId ?? '',
      LIVE,
    ],
  });
  return result.rows.flatMap(({ number }) => rows[number - 1] ?? []);
}
