import { setTimeout as sleep } from 'node:timers/promises';
import type { DeliveryPayload } from '@rapport/contracts';
import type { Findings } from '../measure/comparison.ts';
import type { Options } from './options.ts';
import { emptyTables, REPLICAS, type Ground } from './servers.ts';

/** Until they are due: long enough to insert them. */
const AHEAD_MS = 10_000;
/** The promise of the contract. */
const PROMISED_MS = 10_000;
const GIVE_UP_MS = 60_000;
const PATTERN = 'deliver.v1.*.*.appointment.reminder';

/** All due at one instant; a replica is killed when a third of them have gone out. */
export async function measureReminders(ground: Ground, { runs, reminders }: Options): Promise<Findings> {
  const rounds: Round[] = [];
  for (let run = 0; run < runs; run += 1) rounds.push(await round(ground, reminders, run));
  const all = (of: (each: Round) => number) => rounds.map(of).join(', ');
  return {
    comparisons: [],
    observations: [
      {
        what: `parties of ${reminders} appointments who were reminded, ${2 * reminders} in all`,
        seen: all(({ reached }) => reached),
        holds: rounds.every(({ reached }) => reached === 2 * reminders),
      },
      {
        what: 'milliseconds from due to the last of them',
        seen: all(({ lastMs }) => lastMs),
        holds: rounds.every(({ lastMs }) => lastMs <= PROMISED_MS),
      },
      {
        what: 'repeats, under the same reminderId',
        seen: all(({ repeats }) => repeats),
        holds: true,
      },
      {
        what: 'reminders under a second id',
        seen: all(({ strangers }) => strangers),
        holds: rounds.every(({ strangers }) => strangers === 0),
      },
      {
        what: 'reminders without an outcome at the end',
        seen: all(({ undecided }) => undecided),
        holds: rounds.every(({ undecided }) => undecided === 0),
      },
      { what: 'sent when the replica was killed', seen: all(({ sentAtKill }) => sentAtKill), holds: true },
    ],
  };
}

interface Round {
  readonly reached: number;
  readonly lastMs: number;
  readonly repeats: number;
  readonly strangers: number;
  readonly undecided: number;
  readonly sentAtKill: number;
}

async function round({ stack, developer, database }: Ground, count: number, run: number): Promise<Round> {
  await emptyTables(database);
  const due = Date.now() + AHEAD_MS;
  await lay(database, count, new Date(due));
  /** By party and appointment: the ids that came, and how often anything did. */
  const ids = new Map<string, Set<string>>();
  let received = 0;
  let lastNew = 0;
  const victim = stack.programs.get(`appointment-service-${(run % REPLICAS) + 1}`);
  let sentAtKill = 0;
  const subscription = developer.connection.subscribe(PATTERN, {
    callback: (_error, message) => {
      received += 1;
      const { id, reminderId } = message.json<DeliveryPayload<'appointment:reminder'>>();
      const key = `${message.subject} ${id}`;
      const known = ids.get(key) ?? new Set();
      if (known.size === 0) lastNew = Date.now();
      ids.set(key, known.add(reminderId));
      if (sentAtKill === 0 && received >= (2 * count) / 3) {
        sentAtKill = received;
        victim?.kill('SIGKILL');
      }
    },
  });
  await developer.connection.flush();
  const undecided = async () =>
    (await database.query<{ left: number }>('select count(*)::int as left from reminder where outcome is null')).rows[0]
      ?.left ?? 0;
  let left = await undecided();
  while (left > 0 && Date.now() < due + GIVE_UP_MS) {
    await sleep(500);
    left = await undecided();
  }
  await developer.connection.flush();
  subscription.unsubscribe();
  await victim?.ready();
  const strangers = [...ids.values()].filter(({ size }) => size > 1).length;
  return {
    reached: ids.size,
    lastMs: lastNew - due,
    repeats: received - ids.size,
    strangers,
    undecided: left,
    sentAtKill,
  };
}

async function lay(database: Ground['database'], count: number, due: Date): Promise<void> {
  await database.query(
    `insert into appointment (id, client_id, therapist_id, status, version, start_at, end_at, blocked_until, time_zone,
                              wall_start, created_at, updated_at)
     select gen_random_uuid(), 'c-' || n, 't-' || n, 'confirmed', 1, s, s + interval '50 minutes',
            s + interval '50 minutes', 'Europe/Berlin', '', now(), now()
       from generate_series(1, $1) as n, (select $2::timestamptz + interval '15 minutes' as s) as start`,
    [count, due],
  );
  await database.query(
    `insert into reminder (appointment_id, version, offset_minutes, recipient, id, due_at)
     select id, 1, 15, r, md5(id::text)::uuid, $1 from appointment, unnest(array['client', 'therapist']) as r`,
    [due],
  );
  await database.query('analyze');
}
