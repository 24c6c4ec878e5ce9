import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { recordedLog, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import type { Scope } from '@rapport/contracts';
import { changeMessage } from '../src/change-message.ts';
import { expireRequests } from '../src/expire-requests.ts';
import { extendSeries } from '../src/extend-series.ts';
import type { Command } from '../src/transitions.ts';
import { wallTimeOf } from '../src/wall-time.ts';
import {
  after,
  appointmentDatabase,
  emptyDatabase,
  client,
  DAY_MS,
  failure,
  replica,
  service,
  therapist,
  type Replica,
} from './kit.ts';

let pool: Pool;
let now: Date;
let one: Replica;
const BERLIN = 'Europe/Berlin';
/** A Monday, 09:00 in Berlin. */
const START = '2026-11-30T08:00:00.000Z';

beforeAll(async () => {
  ({ pool } = await appointmentDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

beforeEach(async () => {
  await emptyDatabase(pool);
  now = new Date('2026-11-25T08:00:00.000Z');
  one = replica({ pool, now: () => now });
});

interface Row {
  id: string;
  version: number;
  status: string;
  start_at: Date;
  end_at: Date;
}

async function stored(): Promise<Row[]> {
  return (await pool.query<Row>('select id, version, status, start_at, end_at from appointment order by start_at'))
    .rows;
}

const weekly = (count: number, more = {}) =>
  one.book(therapist('dr-bob'), { startTime: START, recurrence: `FREQ=WEEKLY;COUNT=${count}`, ...more });

async function change(command: Command, index: number, scope: Scope, more = {}) {
  const row = (await stored())[index]!;
  return one.change(command, therapist('dr-bob'), { appointmentId: row.id, version: row.version, scope, ...more });
}

describe('a series', () => {
  test('is booked for two years, at the same time on the wall, each occurrence an appointment of its own', async () => {
    const first = await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    const rows = await stored();
    expect(first).toMatchObject({ id: rows[0]?.id, startTime: START, recurrence: 'FREQ=WEEKLY', occurrences: 104 });
    expect(rows).toHaveLength(104);
    for (const row of rows) {
      expect(wallTimeOf(row.start_at, BERLIN).slice(11, 16)).toBe('09:00');
      expect(row.end_at.getTime() - row.start_at.getTime()).toBe(50 * 60_000);
    }
    expect(one.told).toHaveLength(104);
    expect(one.told[0]?.fact.data.batch).toEqual({ position: 1, count: 104 });
  });

  test('is all or nothing', async () => {
    await one.book(service(), { startTime: after(START, 5 * 7 * 1440), clientId: 'carol' });
    expect(await failure(weekly(10))).toBe('CONFLICT: this time is not available');
    expect(await stored()).toHaveLength(1);
    expect((await pool.query('select from series')).rowCount).toBe(0);
    await weekly(5);
  });

  test('whose start is none of its occurrences is refused', async () => {
    for (const recurrence of ['FREQ=WEEKLY;BYDAY=TU', 'FREQ=DAILY;UNTIL=20261101']) {
      expect(await failure(one.book(client('alice'), { startTime: START, recurrence }))).toMatch(/^INVALID_PAYLOAD/);
    }
  });

  test('says in the reply which wall times do not exist or exist twice, and how they were read', async () => {
    const night = { startTime: '2027-03-21T01:30:00.000Z', endTime: '2027-03-21T02:00:00.000Z' };
    const spring = await one.book(service(), { ...night, recurrence: 'FREQ=WEEKLY;COUNT=3' });
    const rows = await stored();
    expect(spring.startTime).toBe(night.startTime);
    expect(spring).toMatchObject({
      adjusted: [{ appointmentId: rows[1]?.id, startTime: '2027-03-28T01:30:00.000Z', wallTime: 'skipped' }],
    });
    expect(rows[2]?.start_at.toISOString()).toBe('2027-04-04T00:30:00.000Z');
  });

  test('that begins in the second of two hours of the same name begins then', async () => {
    const second = { startTime: '2027-10-31T01:30:00.000Z', endTime: '2027-10-31T02:00:00.000Z' };
    const booked = await one.book(service(), { ...second, recurrence: 'FREQ=WEEKLY;COUNT=2' });
    expect(booked.startTime).toBe(second.startTime);
    expect((await stored()).map(({ start_at }) => start_at.toISOString())).toEqual([
      second.startTime,
      '2027-11-07T01:30:00.000Z',
    ]);
  });
});

describe('a change', () => {
  const statuses = async () => (await stored()).map(({ status }) => status.slice(0, 4)).join(' ');

  test.each<[Scope, string]>([
    ['this', 'conf conf canc conf conf'],
    ['following', 'conf conf canc canc canc'],
    ['all', 'canc canc canc canc canc'],
  ])('of %s reaches those', async (scope, expected) => {
    await weekly(5);
    await change('cancel', 2, scope);
    expect(await statuses()).toBe(expected);
  });

  test('of all leaves what is over as it is, and what it cannot be made to', async () => {
    await weekly(5);
    await change('cancel', 4, 'this');
    now = new Date(Date.parse(START) + 8 * DAY_MS);
    await change('complete', 0, 'this');
    await change('cancel', 3, 'all');
    expect(await statuses()).toBe('comp conf canc canc canc');
    expect((await stored()).map(({ version }) => version)).toEqual([2, 1, 2, 2, 2]);
  });

  test('confirms what is requested', async () => {
    await one.book(client('alice'), { startTime: START, recurrence: 'FREQ=WEEKLY;COUNT=4' });
    await change('confirm', 0, 'this');
    await change('confirm', 1, 'all');
    expect(await statuses()).toBe('conf conf conf conf');
    expect((await stored()).map(({ version }) => version)).toEqual([2, 2, 2, 2]);
  });

  test('tells of each occurrence, and the sentence about the first speaks of all', async () => {
    await weekly(3);
    await change('cancel', 0, 'all');
    const told = one.told.slice(3).map(({ fact }) => changeMessage(fact.fact, fact.data));
    expect(told).toEqual([
      '3 appointments, the first on Monday 30 November 2026 at 09:00 (Europe/Berlin), were cancelled.',
      'The appointment on Monday 7 December 2026 at 09:00 (Europe/Berlin) was cancelled.',
      'The appointment on Monday 14 December 2026 at 09:00 (Europe/Berlin) was cancelled.',
    ]);
  });
});

describe('a move', () => {
  const walls = async () => (await stored()).map(({ start_at }) => wallTimeOf(start_at, BERLIN).slice(5, 16));
  const to = (startTime: string, minutes = 50) => ({ startTime, endTime: after(startTime, minutes) });

  test('of all moves each by as much on the wall, across the change of the clocks', async () => {
    await one.book(therapist('dr-bob'), { startTime: '2027-03-15T08:00:00.000Z', recurrence: 'FREQ=WEEKLY;COUNT=4' });
    await change('reschedule', 1, 'all', to('2027-03-23T09:30:00.000Z', 30));
    expect(await walls()).toEqual(['03-16T10:30', '03-23T10:30', '03-30T10:30', '04-06T10:30']);
    expect((await stored()).map(({ start_at, end_at }) => end_at.getTime() - start_at.getTime())).toEqual(
      Array(4).fill(1_800_000),
    );
  });

  test('of those that follow leaves the others', async () => {
    await weekly(4);
    await change('reschedule', 2, 'following', to('2026-12-15T08:00:00.000Z'));
    expect(await walls()).toEqual(['11-30T09:00', '12-07T09:00', '12-15T09:00', '12-22T09:00']);
  });

  test('may go to where the series has been itself', async () => {
    await weekly(4);
    await change('reschedule', 0, 'all', to(after(START, 7 * 1440)));
    expect(await walls()).toEqual(['12-07T09:00', '12-14T09:00', '12-21T09:00', '12-28T09:00']);
    await change('reschedule', 0, 'all', to(after(START, 7 * 1440 + 20)));
    expect((await walls())[3]).toBe('12-28T09:20');
  });

  test('is all or nothing', async () => {
    await weekly(4);
    await one.book(service(), { startTime: after(START, 3 * 7 * 1440 + 60), clientId: 'carol' });
    const before = await walls();
    expect(await failure(change('reschedule', 0, 'all', to(after(START, 30))))).toBe(
      'CONFLICT: this time is not available',
    );
    expect(await walls()).toEqual(before);
  });

  test('that would put another occurrence into the past is refused', async () => {
    await weekly(3);
    const startTime = after(START, 7 * 1440 - 6 * 1440);
    expect(await failure(change('reschedule', 1, 'all', to(startTime)))).toMatch(/^INVALID_PAYLOAD/);
  });
});

describe('an endless series', () => {
  const extend = () => extendSeries({ ...one.options, log: recordedLog().log }, now);
  const last = async () => (await stored()).at(-1)!;

  test('reaches two years ahead at any time, as it stands by then', async () => {
    await one.book(client('alice'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    await change('confirm', 0, 'all');
    await change('reschedule', 1, 'following', {
      startTime: '2026-12-08T10:00:00.000Z',
      endTime: '2026-12-08T10:30:00.000Z',
    });
    now = new Date('2027-06-01T08:00:00.000Z');
    await extend();
    await extend();
    const rows = await stored();
    const walls = rows.slice(1).map(({ start_at }) => wallTimeOf(start_at, BERLIN));
    expect(new Set(walls.map(wall => wall.slice(11, 16)))).toEqual(new Set(['11:00']));
    expect(await last()).toMatchObject({ status: 'confirmed', start_at: new Date('2029-05-29T09:00:00.000Z') });
    const gaps = walls.slice(1).map((wall, index) => Date.parse(`${wall}Z`) - Date.parse(`${walls[index]}Z`));
    expect(new Set(gaps)).toEqual(new Set([7 * DAY_MS]));
    expect((await pool.query(`select from reminder where appointment_id = $1`, [(await last()).id])).rowCount).toBe(6);
  });

  test.each([
    ['back', -3],
    ['forward', 6],
  ])('that was moved %s is laid out further without a gap or a repeat', async (_where, days) => {
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    const startTime = after(START, days * 1440);
    await change('reschedule', 0, 'all', { startTime, endTime: after(startTime, 50) });
    // Nothing is in the way of a repeat.
    await change('cancel', 103, 'this');
    now = new Date('2026-12-25T08:00:00.000Z');
    await extend();
    const starts = (await stored()).map(({ start_at }) => start_at.getTime());
    expect(starts.length).toBeGreaterThan(104);
    const walls = starts.map(start => Date.parse(`${wallTimeOf(new Date(start), BERLIN)}Z`));
    expect(new Set(walls.slice(1).map((wall, index) => wall - walls[index]!))).toEqual(new Set([7 * DAY_MS]));
  });

  test('says of what it is laid out to later that it is an extension, and of nothing else', async () => {
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    expect(one.told.filter(({ fact }) => fact.data.extension)).toEqual([]);
    now = new Date('2026-12-25T08:00:00.000Z');
    await extend();
    expect(one.told.slice(104).map(({ fact }) => fact)).toMatchObject(
      [1, 2, 3, 4, 5].map(position => ({
        fact: 'appointment.booked',
        data: { status: 'confirmed', extension: true, batch: { position, count: 5 } },
      })),
    );
    await change('cancel', 104, 'this');
    expect(one.told.at(-1)?.fact.data.extension).toBeUndefined();
  });

  test('is laid out once by two replicas, and leaves out what is taken', async () => {
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    now = new Date('2026-12-25T08:00:00.000Z');
    await one.book(service(), { startTime: '2028-12-04T08:30:00.000Z', clientId: 'carol' });
    await Promise.all([extend(), extend()]);
    const starts = (await stored()).slice(104).map(({ start_at }) => start_at.toISOString().slice(0, 16));
    expect(starts).toEqual(
      ['2028-11-27T08:00', '2028-12-04T08:30', '2028-12-11T08:00', '2028-12-18T08:00', '2028-12-25T08:00'].filter(
        each => starts.includes(each),
      ),
    );
    expect(starts.filter(each => each.startsWith('2028-12-04'))).toEqual(['2028-12-04T08:30']);
    expect(starts).toContain('2028-12-11T08:00');
  });

  test('ends when it is cancelled', async () => {
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    await change('cancel', 10, 'following');
    now = new Date('2027-06-01T08:00:00.000Z');
    await extend();
    expect(await stored()).toHaveLength(104);
  });

  const expire = () =>
    expireRequests({ pool, expire: (caller, input) => one.change('expire', caller, input) }, { now, afterHours: 72 });

  test('goes on when one occurrence expires that the client had moved', async () => {
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    const [, second] = await stored();
    const times = { startTime: after(second!.start_at, 60), endTime: after(second!.start_at, 110) };
    await one.change('reschedule', client('alice'), { appointmentId: second!.id, version: 1, ...times });
    now = new Date(now.getTime() + 3 * DAY_MS);
    expect(await expire()).toBe(1);
    now = new Date('2026-12-25T08:00:00.000Z');
    await extend();
    expect(await last()).toMatchObject({ status: 'confirmed', start_at: new Date('2028-12-25T08:00:00.000Z') });
  });

  test('ends when the request for it expires, also where one occurrence of it was confirmed', async () => {
    await one.book(client('alice'), { startTime: START, recurrence: 'FREQ=WEEKLY' });
    await one.book(client('carol'), { startTime: after(START, 60), clientId: 'carol', recurrence: 'FREQ=WEEKLY' });
    await change('confirm', 0, 'this');
    now = new Date(now.getTime() + 3 * DAY_MS);
    expect(await expire()).toBe(2);
    now = new Date('2027-06-01T08:00:00.000Z');
    await extend();
    expect(await stored()).toHaveLength(208);
    expect((await pool.query('select from series where is_endless')).rowCount).toBe(0);
  });
});
