import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { connectDatabase } from '../../libs/service/src/database/connection.ts';
import { database } from '../src/database.ts';
import { expireRequests } from '../src/expire-requests.ts';
import { createShowHistory } from '../src/show-history.ts';
import {
  admin,
  after,
  appointmentDatabase,
  emptyDatabase,
  client,
  failure,
  HOUR_MS,
  replica,
  service,
  therapist,
  type Replica,
} from './kit.ts';

let pool: Pool;
let url: string;
let now: Date;
let one: Replica;
const NOW = '2026-11-25T08:00:00.000Z';
const START = '2026-12-01T09:00:00.000Z';

beforeAll(async () => {
  ({ pool, url } = await appointmentDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

beforeEach(async () => {
  await emptyDatabase(pool);
  now = new Date(NOW);
  one = replica({ pool, now: () => now });
});

const wait = (milliseconds: number) => (now = new Date(now.getTime() + milliseconds));
const requested = () => one.book(client('alice'), { startTime: START });

describe('a change', () => {
  test('raises the version and is told to both, with a sentence for a person that names nobody', async () => {
    const { id } = await requested();
    const confirmed = await one.change('confirm', therapist('dr-bob'), { appointmentId: id, version: 1 });
    expect(confirmed).toMatchObject({ id, version: 2, status: 'confirmed' });
    expect(one.told.map(({ fact, row }) => [fact.fact, row.version])).toEqual([
      ['appointment.booked', 1],
      ['appointment.confirmed', 2],
    ]);
  });

  test('needs the present version', async () => {
    const { id } = await requested();
    await one.change('confirm', therapist('dr-bob'), { appointmentId: id, version: 1 });
    const late = await failure(one.change('cancel', client('alice'), { appointmentId: id, version: 1 }));
    expect(late).toBe('CONFLICT: the appointment has changed since this version; allowed now: cancel, reschedule');
  });

  test('that many make at once over two replicas is made once', async () => {
    const { id } = await requested();
    const replicas = [one, replica({ pool: poolOf(url, 10), now: () => now })];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        failure(
          index % 3 === 0
            ? replicas[index % 2]!.change('cancel', client('alice'), { appointmentId: id, version: 1 })
            : replicas[index % 2]!.change('confirm', therapist('dr-bob'), { appointmentId: id, version: 1 }),
        ),
      ),
    );
    expect(answers.filter(answer => answer === 'it did not fail')).toHaveLength(1);
    expect(answers.filter(answer => answer.startsWith('CONFLICT'))).toHaveLength(29);
  });

  test('is refused in the same words to whoever has no part in it, whether it is there or not', async () => {
    const { id } = await requested();
    const attempts = [
      client('carol'),
      therapist('dr-dan'),
      // A client whose user id is a therapist's room is still a client.
      client('dr-bob'),
    ].flatMap(caller => [
      failure(one.change('cancel', caller, { appointmentId: id, version: 1 })),
      failure(one.change('cancel', caller, { appointmentId: '0190a000-0000-7000-8000-000000000000', version: 1 })),
      failure(one.change('cancel', caller, { appointmentId: 'nothing', version: 1 })),
    ]);
    expect(new Set(await Promise.all(attempts)).size).toBe(1);
    expect(await attempts[0]).toMatch(/^UNAUTHORIZED/);
    expect(await failure(one.change('cancel', service(), { appointmentId: 'nothing', version: 1 }))).toMatch(
      /^NOT_FOUND/,
    );
  });

  test('is in the history: who, when, from, to, why', async () => {
    const { orm } = await connectDatabase({ url, poolSize: 1, definition: database });
    const { id } = await requested();
    wait(HOUR_MS);
    await one.change('confirm', therapist('user-bob', 'dr-bob'), { appointmentId: id, version: 1 });
    const [startTime, endTime] = [after(START, 60), after(START, 100)];
    await one.change('reschedule', service('crm', 'alice'), { appointmentId: id, version: 2, startTime, endTime });
    await one.change('cancel', admin('root'), { appointmentId: id, version: 3, reason: 'the practice is closed' });
    const { changes } = await createShowHistory({ orm })({ appointmentId: id });
    const at = [NOW, ...Array(3).fill(after(NOW, 60))];
    const first = { startTime: START, endTime: after(START, 50) };
    const moved = { startTime, endTime };
    expect(changes).toEqual([
      { version: 1, at: at[0], by: 'user', userId: 'alice', to: { status: 'requested', ...first } },
      {
        version: 2,
        at: at[1],
        by: 'user',
        userId: 'user-bob',
        from: { status: 'requested', ...first },
        to: { status: 'confirmed', ...first },
      },
      {
        version: 3,
        at: at[2],
        by: 'service',
        userId: 'alice',
        service: 'crm',
        from: { status: 'confirmed', ...first },
        to: { status: 'confirmed', ...moved },
      },
      {
        version: 4,
        at: at[3],
        by: 'user',
        userId: 'root',
        from: { status: 'confirmed', ...moved },
        to: { status: 'cancelled', ...moved },
        reason: 'the practice is closed',
      },
    ]);
    await orm.close(true);
  });
});

describe('a new time', () => {
  const move = (caller: Parameters<Replica['change']>[1], id: string, version: number, minutes: number) =>
    one.change('reschedule', caller, {
      appointmentId: id,
      version,
      startTime: after(START, minutes),
      endTime: after(START, minutes + 50),
    });

  test('makes it a request again when the client moves it, and leaves the state when the therapist does', async () => {
    const { id } = await one.book(therapist('dr-bob'), { startTime: START });
    expect(await move(therapist('dr-bob'), id, 1, 60)).toMatchObject({
      status: 'confirmed',
      startTime: after(START, 60),
    });
    expect(await move(client('alice'), id, 2, 120)).toMatchObject({ status: 'requested', version: 3 });
    expect(await move(service(), id, 3, 180)).toMatchObject({ status: 'requested', version: 4 });
  });

  test('that is taken is refused, and the appointment stays where it was', async () => {
    const { id } = await requested();
    await one.book(service(), { startTime: after(START, 60), clientId: 'carol' });
    expect(await failure(move(client('alice'), id, 1, 30))).toBe('CONFLICT: this time is not available');
    const { rows } = await pool.query('select version, start_at from appointment where id = $1', [id]);
    expect(rows).toEqual([{ version: 1, start_at: new Date(START) }]);
  });

  test('may overlap the old one', async () => {
    const { id } = await requested();
    expect((await move(client('alice'), id, 1, 20)).startTime).toBe(after(START, 20));
  });

  test('in the past is refused', async () => {
    const { id } = await requested();
    expect(await failure(move(client('alice'), id, 1, -7 * 1_440))).toMatch(/^INVALID_PAYLOAD/);
  });
});

describe('working hours', () => {
  test('bind the client alone, when booking and when moving', async () => {
    await pool.query(`insert into availability values ('dr-bob', 'Europe/Berlin',
      '[{"day":"tuesday","from":"10:00","to":"12:00"}]', '[]', now())`);
    const outside = { startTime: after(START, 150) };
    expect(await failure(one.book(client('alice'), outside))).toBe('CONFLICT: this time is not available');
    const { id } = await requested();
    const times = { ...outside, endTime: after(START, 200) };
    const move = (caller: Parameters<Replica['change']>[1], version: number) =>
      failure(one.change('reschedule', caller, { appointmentId: id, version, ...times }));
    expect(await move(client('alice'), 1)).toBe('CONFLICT: this time is not available');
    expect(await move(therapist('dr-bob'), 1)).toBe('it did not fail');
    for (const [index, caller] of [therapist('dr-bob'), admin('root'), service()].entries()) {
      await one.book(caller, { startTime: after(START, (index + 5) * 60) });
    }
  });
});

describe('a request that nobody answers', () => {
  const expire = () =>
    expireRequests({ pool, expire: (caller, input) => one.change('expire', caller, input) }, { now, afterHours: 72 });
  const statusOf = async (id: string) =>
    (await pool.query('select status, reason from appointment where id = $1', [id])).rows[0];

  test('is cancelled after 72 hours, with the reason expired', async () => {
    const { id } = await one.book(client('alice'), { startTime: '2027-01-10T09:00:00.000Z' });
    wait(72 * HOUR_MS - 1);
    expect(await expire()).toBe(0);
    wait(1);
    expect(await expire()).toBe(1);
    expect(await statusOf(id)).toEqual({ status: 'cancelled', reason: 'expired' });
    expect(one.told.at(-1)?.fact).toMatchObject({ fact: 'appointment.cancelled', data: { cause: 'expired' } });
  });

  test('is cancelled when its time has gone by', async () => {
    const { id } = await one.book(client('alice'), { startTime: after(NOW, 60) });
    wait(110 * 60_000 - 1);
    expect(await expire()).toBe(0);
    wait(1);
    expect(await expire()).toBe(1);
    expect(await statusOf(id)).toMatchObject({ status: 'cancelled' });
  });

  test('waits anew when the client moves it', async () => {
    const { id } = await one.book(client('alice'), { startTime: '2027-01-10T09:00:00.000Z' });
    wait(71 * HOUR_MS);
    const startTime = '2027-01-11T09:00:00.000Z';
    await one.change('reschedule', client('alice'), {
      appointmentId: id,
      version: 1,
      startTime,
      endTime: after(startTime, 50),
    });
    wait(71 * HOUR_MS);
    expect(await expire()).toBe(0);
  });

  test('expires as a whole when it is a series, and what was confirmed of it stays', async () => {
    const first = await one.book(client('alice'), {
      startTime: '2027-01-10T09:00:00.000Z',
      recurrence: 'FREQ=WEEKLY;COUNT=4',
    });
    const { rows } = await pool.query<{ id: string }>('select id from appointment order by start_at');
    await one.change('confirm', therapist('dr-bob'), { appointmentId: rows[1]!.id, version: 1 });
    wait(72 * HOUR_MS);
    expect(await expire()).toBe(1);
    const states = await pool.query('select status from appointment where series_id = $1 order by start_at', [
      first.seriesId,
    ]);
    expect(states.rows.map(({ status }) => status)).toEqual(['cancelled', 'confirmed', 'cancelled', 'cancelled']);
  });

  test('is expired once by two replicas at the same moment', async () => {
    for (let day = 1; day < 9; day += 1) await one.book(service(), { startTime: `2027-01-0${day}T09:00:00.000Z` });
    wait(72 * HOUR_MS);
    const counts = await Promise.all([expire(), expire()]);
    expect(counts[0] + counts[1]).toBe(8);
    const cancelled = `select from outbox, json_array_elements(facts) as f where f->>'fact' = 'appointment.cancelled'`;
    expect((await pool.query(cancelled)).rowCount).toBe(8);
  });
});
