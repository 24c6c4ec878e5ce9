import type { Findings } from '../measure/comparison.ts';
import type { Options } from './options.ts';
import { book, emptyTables, type Ground } from './servers.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const THERAPISTS = 1_000;
const CLIENTS = 5_000;

/** Bookings a second with many appointments and their reminders stored, against the empty table, in turns. */
export async function measureStored(ground: Ground, options: Options): Promise<Findings> {
  const { runs, stored } = options;
  const [empty, full]: [number[], number[]] = [[], []];
  let failed = 0;
  const round = async (into: number[]): Promise<void> => {
    const { perSecond, failures } = await bookMany(ground, options);
    into.push(perSecond);
    failed += failures;
  };
  // Connections, statements and caches are warm for both.
  await emptyTables(ground.database);
  await bookMany(ground, options);
  for (let run = 0; run < runs; run += 1) {
    await emptyTables(ground.database);
    await round(empty);
    await emptyTables(ground.database);
    await fill(ground, stored);
    await round(full);
  }
  return {
    comparisons: [
      {
        what: `bookings with ${stored} stored`,
        unit: '/s',
        product: full,
        baseline: empty,
        baselineName: 'the empty table',
        bar: { atLeast: 0.9 },
      },
    ],
    observations: [{ what: 'bookings that failed', seen: String(failed), holds: failed === 0 }],
  };
}

/** Spread over therapists and clients, an hour each, none of them overlapping. */
async function bookMany(
  ground: Ground,
  { bookings, atOnce }: Options,
): Promise<{ perSecond: number; failures: number }> {
  const first = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS + 400 * DAY_MS;
  let next = 0;
  let failures = 0;
  const work = async (): Promise<void> => {
    for (let number = next++; number < bookings; number = next++) {
      const start = first + Math.floor(number / THERAPISTS) * HOUR_MS;
      const code = await book(ground, {
        therapistId: `t-${number % THERAPISTS}`,
        clientId: `c-${number % CLIENTS}`,
        startTime: new Date(start).toISOString(),
        endTime: new Date(start + HOUR_MS).toISOString(),
      });
      if (code !== 'OK') failures += 1;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, work));
  return { perSecond: bookings / ((performance.now() - began) / 1_000), failures };
}

/** The same people, before the time that is measured; each with the reminders of a confirmed appointment. */
async function fill({ database }: Ground, count: number): Promise<void> {
  await database.query(
    `insert into appointment (id, client_id, therapist_id, status, version, start_at, end_at, blocked_until, time_zone,
                              wall_start, created_at, updated_at)
     select gen_random_uuid(), 'c-' || n % $2, 't-' || n % $3, 'confirmed', 1,
            s, s + interval '50 minutes', s + interval '50 minutes', 'Europe/Berlin', '', now(), now()
       from generate_series(0, $1 - 1) as n,
            lateral (select date_trunc('hour', now()) + interval '30 days' + (n / $3) * interval '1 hour' as s) as start`,
    [count, CLIENTS, THERAPISTS],
  );
  await database.query(
    `insert into reminder (appointment_id, version, offset_minutes, recipient, id, due_at)
     select id, 1, o, r, gen_random_uuid(), start_at - o * interval '1 minute'
       from appointment, unnest(array[1440, 60, 15]) as o, unnest(array['client', 'therapist']) as r`,
  );
  await database.query('analyze');
  await database.query('checkpoint').catch(() => undefined);
}
