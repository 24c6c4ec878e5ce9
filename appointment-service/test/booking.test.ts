import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import {
  admin,
  after,
  appointmentDatabase,
  emptyDatabase,
  client,
  failure,
  replica,
  service,
  therapist,
  type Replica,
} from './kit.ts';

let pool: Pool;
let url: string;
let one: Replica;
const NOW = new Date('2026-11-25T08:00:00.000Z');
const now = () => NOW;
const START = '2026-12-01T09:00:00.000Z';
const TAKEN = 'CONFLICT: this time is not available';

beforeAll(async () => {
  ({ pool, url } = await appointmentDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

beforeEach(async () => {
  await emptyDatabase(pool);
  one = replica({ pool, now });
});

describe('a booking', () => {
  test('by the client is a request, by the therapist it is confirmed, by an admin or a service it is a request', async () => {
    const status = async (caller: Parameters<Replica['book']>[0], day: number) =>
      (await one.book(caller, { startTime: after(START, day * 1440) })).status;
    expect(await status(client('alice'), 0)).toBe('requested');
    expect(await status(therapist('dr-bob'), 1)).toBe('confirmed');
    expect(await status(admin('root'), 2)).toBe('requested');
    expect(await status(service(), 3)).toBe('requested');
  });

  test('has the shape of the contract', async () => {
    const booked = await one.book(client('alice'), { startTime: START });
    expect(booked).toEqual({
      id: expect.any(String),
      version: 1,
      status: 'requested',
      clientId: 'alice',
      therapistId: 'dr-bob',
      startTime: START,
      endTime: after(START, 50),
      timeZone: 'Europe/Berlin',
      createdAt: NOW.toISOString(),
      updatedAt: NOW.toISOString(),
    });
  });

  test('is told to both and is a fact, with ids, times and states alone', async () => {
    const booked = await one.book(client('alice'), { startTime: START });
    const { rows } = await pool.query(
      `select f->>'fact' as fact, f->'data' as data from outbox, json_array_elements(facts) as f`,
    );
    expect(rows).toEqual([
      {
        fact: 'appointment.booked',
        data: {
          appointmentId: booked.id,
          clientUserId: 'alice',
          therapistId: 'dr-bob',
          therapistUserId: 'dr-bob',
          status: 'requested',
          version: 1,
          startTime: START,
          endTime: after(START, 50),
          timeZone: 'Europe/Berlin',
          changedBy: 'alice',
          changedAt: NOW.toISOString(),
        },
      },
    ]);
    expect(one.told.map(({ fact, row }) => [fact.fact, row.id])).toEqual([['appointment.booked', booked.id]]);
  });

  test.each([
    ['in the past', after(NOW, -1), 50],
    ['more than two years ahead', '2028-11-25T08:00:00.001Z', 50],
    ['longer than eight hours', START, 481],
    ['without a length', START, 0],
    ['that ends before it starts', START, -10],
  ])('%s is refused', async (_what, startTime, minutes) => {
    const input = { startTime, endTime: after(startTime, minutes) };
    expect(await failure(one.book(service(), input))).toMatch(/^INVALID_PAYLOAD/);
    expect((await pool.query('select from appointment')).rowCount).toBe(0);
  });

  test('at the very edge of what is allowed is taken', async () => {
    await one.book(service(), { startTime: NOW.toISOString(), endTime: after(NOW, 480) });
    await one.book(service(), { startTime: '2028-11-25T08:00:00.000Z' });
    expect(one.told).toHaveLength(2);
  });

  test('with oneself is refused, also under the name of the room', async () => {
    expect(await failure(one.book(service(), { startTime: START, clientId: 'dr-bob' }))).toMatch(/^INVALID_PAYLOAD/);
    await pool.query(`insert into therapist (user_id, therapist_id, version) values ('user-bob', 'dr-bob', 1)`);
    expect(await failure(one.book(service(), { startTime: START, clientId: 'user-bob' }))).toMatch(/^INVALID_PAYLOAD/);
  });
});

describe('a time', () => {
  const busy = async () => void (await one.book(service(), { startTime: START }));

  test.each([
    ['that is the same', 0, 50],
    ['that begins within', 25, 50],
    ['that ends within', -25, 50],
    ['that lies within', 10, 20],
    ['that lies around', -10, 100],
  ])('%s is taken for the therapist and for the client, in the same words', async (_what, from, minutes) => {
    await busy();
    const startTime = after(START, from);
    const times = { startTime, endTime: after(startTime, minutes) };
    const answers = await Promise.all([
      failure(one.book(service(), { ...times, clientId: 'carol' })),
      failure(one.book(service(), { ...times, therapistId: 'dr-dan' })),
      failure(one.book(service(), times)),
    ]);
    expect(answers).toEqual([TAKEN, TAKEN, TAKEN]);
  });

  test('that only touches another is free', async () => {
    await busy();
    await one.book(service(), { startTime: after(START, 50) });
    await one.book(service(), { startTime: after(START, -50) });
    expect(one.told).toHaveLength(3);
  });

  test('is free again once what was there is cancelled', async () => {
    const booked = await one.book(service(), { startTime: START });
    await one.change('cancel', service(), { appointmentId: booked.id, version: 1 });
    expect((await one.book(service(), { startTime: START })).status).toBe('requested');
  });

  test('within the buffer after another is taken, on both sides, and the buffer is stored with the appointment', async () => {
    const buffered = replica({ pool, now, bufferMinutes: 10 });
    await buffered.book(service(), { startTime: START });
    const at = (minutes: number) =>
      failure(buffered.book(service(), { startTime: after(START, minutes), clientId: 'carol' }));
    expect(await at(59)).toBe(TAKEN);
    expect(await at(-59)).toBe(TAKEN);
    expect([await at(60), await at(-60)]).toEqual(['it did not fail', 'it did not fail']);
    const { rows } = await pool.query('select blocked_until - end_at = $1 as kept from appointment', ['10 minutes']);
    expect(rows).toEqual([{ kept: true }, { kept: true }, { kept: true }]);
  });

  test('is had by exactly one of 200 who ask at once through two replicas; all others get the same CONFLICT', async () => {
    const replicas = [one, replica({ pool: poolOf(url, 10), now })];
    const asked = Array.from({ length: 200 }, (_, index) =>
      replicas[index % 2]!.book(client(`client-${index}`), { startTime: START, clientId: `client-${index}` }),
    );
    const outcomes = await Promise.allSettled(asked);
    const lost = outcomes.flatMap(each =>
      each.status === 'rejected' ? [each.reason as Error & { code: string }] : [],
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(new Set(lost.map(({ code, message }) => `${code}: ${message}`))).toEqual(new Set([TAKEN]));
    expect((await pool.query('select from appointment')).rowCount).toBe(1);
    expect((await pool.query('select from outbox')).rowCount).toBe(1);
  });

  test('is had by one of many who ask for what overlaps crosswise, without a deadlock', async () => {
    const replicas = [one, replica({ pool: poolOf(url, 10), now })];
    const asked = Array.from({ length: 120 }, (_, index) => {
      const input = {
        startTime: after(START, (index % 4) * 25),
        clientId: `c-${index % 5}`,
        therapistId: `t-${index % 3}`,
      };
      return failure(replicas[index % 2]!.book(service(), input));
    });
    const answers = new Set(await Promise.all(asked));
    expect(answers).toEqual(new Set(['it did not fail', TAKEN]));
    const overlaps = await pool.query(
      `select from appointment a join appointment b on a.id < b.id
          and (a.client_id = b.client_id or a.therapist_id = b.therapist_id)
          and tstzrange(a.start_at, a.blocked_until) && tstzrange(b.start_at, b.blocked_until)`,
    );
    expect(overlaps.rowCount).toBe(0);
  });
});

describe('an idempotency key', () => {
  const body = { startTime: START, idempotencyKey: 'k-1' };

  test('with the same body gives the first appointment, as it is now, and tells nobody again', async () => {
    const first = await one.book(client('alice'), body);
    expect(await one.book(client('alice'), body)).toEqual(first);
    const cancelled = await one.change('cancel', client('alice'), { appointmentId: first.id, version: 1 });
    expect(await one.book(client('alice'), body)).toEqual(cancelled);
    expect(one.told).toHaveLength(2);
  });

  test.each([
    ['start', { startTime: after(START, 5) }],
    ['end', { endTime: after(START, 45) }],
    ['therapist', { therapistId: 'dr-dan' }],
    ['zone', { timeZone: 'Europe/Paris' }],
    ['recurrence', { recurrence: 'FREQ=WEEKLY;COUNT=2' }],
  ])('with another %s is a CONFLICT', async (_what, other) => {
    await one.book(client('alice'), body);
    expect(await failure(one.book(client('alice'), { ...body, ...other }))).toMatch(/^CONFLICT: this idempotencyKey/);
  });

  test('belongs to whoever used it', async () => {
    await one.book(client('alice'), body);
    const other = { ...body, clientId: 'carol', startTime: after(START, 60) };
    expect((await one.book(client('carol'), other)).clientId).toBe('carol');
  });

  test('that comes many times at once, over two replicas, books once', async () => {
    const replicas = [one, replica({ pool: poolOf(url, 10), now })];
    const booked = await Promise.all(
      Array.from({ length: 40 }, (_, index) => replicas[index % 2]!.book(service(), body)),
    );
    expect(new Set(booked.map(({ id }) => id)).size).toBe(1);
  });

  test('that races with other people in the body is a CONFLICT for all but one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        failure(one.book(service(), { ...body, clientId: `c-${index}`, therapistId: `t-${index}` })),
      ),
    );
    expect(answers.filter(answer => answer === 'it did not fail')).toHaveLength(1);
    expect(answers.filter(answer => answer.startsWith('CONFLICT: this idempotencyKey'))).toHaveLength(19);
  });

  test('of a series gives the first of it, with what was said of the others', async () => {
    const series = { ...body, recurrence: 'FREQ=WEEKLY;COUNT=3' };
    const first = await one.book(client('alice'), series);
    expect(await one.book(client('alice'), series)).toEqual(first);
  });
});

describe('open requests', () => {
  test('are ten for a client at most, a series being one; an answer makes room for another', async () => {
    const ask = (day: number, more = {}) => one.book(client('alice'), { startTime: after(START, day * 1440), ...more });
    const first = await ask(0, { recurrence: 'FREQ=DAILY;COUNT=5' });
    for (let day = 10; day < 19; day += 1) await ask(day);
    expect(await failure(ask(30))).toBe('CONFLICT: at most 10 requests may be open');
    await one.change('confirm', therapist('dr-bob'), { appointmentId: first.id, version: 1, scope: 'all' });
    await ask(30);
  });

  test('made by a therapist, an admin or a service do not count against anybody', async () => {
    for (let day = 0; day < 11; day += 1) await one.book(service(), { startTime: after(START, day * 1440) });
    expect(one.told).toHaveLength(11);
  });
});
