import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { listen, type Bus } from '@rapport/bus';
import type { Nats } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { busAs, poolOf, runningNats, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { createGetReminders, createSetReminders } from '../src/reminder-preferences.ts';
import { sendDueReminders } from '../src/send-reminders.ts';
import { createTherapistNames, type AskName } from '../src/therapist-names.ts';
import {
  after,
  appointmentDatabase,
  emptyDatabase,
  client,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  replica,
  service,
  therapist,
  type Replica,
} from './kit.ts';

let nats: Nats;
let bus: Bus;
let gateway: Bus;
let pool: Pool;
let url: string;
let now: Date;
let one: Replica;

beforeAll(async () => {
  const [servers, postgres] = await Promise.all([runningNats(), runningPostgres()]);
  nats = servers;
  ({ pool, url } = await appointmentDatabase(postgres));
  [bus, gateway] = await Promise.all([busAs(nats, 'appointment-service'), busAs(nats, 'gateway')]);
}, START_TIMEOUT_MS);

const START = new Date('2026-12-01T09:00:00.000Z');

beforeEach(async () => {
  await emptyDatabase(pool);
  now = new Date('2026-11-25T08:00:00.000Z');
  one = replica({ pool, now: () => now });
});

/** That long before the start. */
const before = (milliseconds: number) => (now = new Date(START.getTime() - milliseconds));

interface Reminder {
  id: string;
  therapistName: string;
  startTime: string;
  minutesUntil: number;
  reminderId: string;
}

/** What reaches the two from now on. */
async function inboxes(clientId = 'alice', therapistId = 'dr-bob') {
  const inbox: { to: string; reminder: Reminder }[] = [];
  const listening = [
    listen(gateway, { user: clientId }, ({ text }) =>
      inbox.push({ to: 'client', reminder: JSON.parse(text) as Reminder }),
    ),
    listen(gateway, { therapist: therapistId }, ({ text }) =>
      inbox.push({ to: 'therapist', reminder: JSON.parse(text) as Reminder }),
    ),
  ];
  await Promise.all(listening.map(each => each.established()));
  return inbox;
}

/** What notification-service knows. */
let profileOf: AskName = () => Promise.resolve(undefined);

/** One beat of a replica; what it sent has arrived. */
async function beat(ofPool = pool): Promise<void> {
  const counted = () => undefined;
  const names = createTherapistNames({ ask: profileOf, log: bus.observer.log, now: () => now });
  const outbox = { publish: () => undefined };
  await sendDueReminders({ bus, pool: ofPool, outbox, names, counted }, () => now);
  await bus.connection.flush();
  await gateway.connection.flush();
}

const outcomes = async (recipient = 'client') =>
  Object.fromEntries(
    (
      await pool.query<{ offset: string; outcome: string }>(
        `select version || '/' || offset_minutes as offset, outcome from reminder where recipient = $1
          order by version, offset_minutes desc`,
        [recipient],
      )
    ).rows.map(({ offset, outcome }) => [offset, outcome]),
  );

const confirmed = () => one.book(therapist('dr-bob'), { startTime: START.toISOString() });

describe('the name of a therapist', () => {
  const announced = async () => {
    await confirmed();
    before(15 * MINUTE_MS);
    const inbox = await inboxes();
    await beat();
    return inbox.map(({ reminder }) => reminder.therapistName);
  };
  afterEach(() => {
    profileOf = () => Promise.resolve(undefined);
  });

  test('is that of the profile where the booking has none', async () => {
    profileOf = userId => Promise.resolve(`Dr. ${userId}`);
    expect(await announced()).toEqual(['Dr. dr-bob', 'Dr. dr-bob']);
  });

  test.each<[string, AskName]>([
    ['has none', () => Promise.resolve(undefined)],
    ['cannot be asked for', () => Promise.reject(new Error('nobody answers'))],
    ['is waited for in vain', () => new Promise(() => undefined)],
  ])('is a neutral one where the profile %s', async (_what, ask) => {
    profileOf = ask;
    expect(await announced()).toEqual(['your therapist', 'your therapist']);
  });
});

describe('a confirmed appointment', () => {
  test('is announced a day, an hour and a quarter of an hour before, to both, under one id each, and never again', async () => {
    const { id } = await confirmed();
    const inbox = await inboxes();
    for (const [offset, early] of [
      [1_440, 1],
      [60, 1],
      [15, 1],
    ] as const) {
      before(offset * MINUTE_MS + early);
      await beat();
      expect(inbox).toEqual([]);
      before(offset * MINUTE_MS);
      await beat();
      await beat();
      const [reminder] = inbox.map(each => each.reminder);
      expect(reminder).toEqual({
        id,
        therapistName: 'your therapist',
        startTime: START.toISOString(),
        minutesUntil: offset,
        reminderId: expect.any(String),
      });
      expect(inbox.map(({ to }) => to).toSorted()).toEqual(['client', 'therapist']);
      expect(inbox[1]?.reminder).toEqual(reminder);
      inbox.length = 0;
    }
    before(0);
    await beat();
    expect(inbox).toEqual([]);
    expect(await outcomes()).toEqual({ '1/1440': 'sent', '1/60': 'sent', '1/15': 'sent' });
  });

  test('has the name that a service gave with the booking, and rounds to the nearest minute', async () => {
    const book = { startTime: START.toISOString(), therapistName: 'Dr. Bob' };
    const { id } = await one.book(service(), book);
    await one.change('confirm', service(), { appointmentId: id, version: 1 });
    const inbox = await inboxes();
    before(59 * MINUTE_MS + 29_000);
    await beat();
    expect(inbox[0]?.reminder).toMatchObject({ therapistName: 'Dr. Bob', minutesUntil: 59 });
  });

  test.each([
    [10 * MINUTE_MS, { '1/1440': 'suppressed-collapsed', '1/60': 'suppressed-collapsed', '1/15': 'sent' }, 10],
    [30 * MINUTE_MS, { '1/1440': 'suppressed-collapsed', '1/60': 'sent', '1/15': null }, 30],
    [20 * HOUR_MS, { '1/1440': 'sent', '1/60': null, '1/15': null }, 1_200],
    [2 * DAY_MS, { '1/1440': null, '1/60': null, '1/15': null }, undefined],
  ])('that was booked %i ms before is announced exactly once, at once', async (early, expected, minutes) => {
    before(early);
    await confirmed();
    const inbox = await inboxes();
    await beat();
    await beat();
    expect(await outcomes()).toEqual(expected);
    expect(inbox.map(({ reminder }) => reminder.minutesUntil)).toEqual(minutes === undefined ? [] : [minutes, minutes]);
  });
});

describe('nothing is sent', () => {
  test('for a request', async () => {
    await one.book(client('alice'), { startTime: START.toISOString() });
    before(MINUTE_MS);
    const inbox = await inboxes();
    await beat();
    expect(inbox).toEqual([]);
    expect(await outcomes()).toEqual({});
  });

  test('for what was cancelled, by the time it would have been due', async () => {
    const { id } = await confirmed();
    before(59 * MINUTE_MS);
    await one.change('cancel', client('alice'), { appointmentId: id, version: 1 });
    const inbox = await inboxes();
    await beat();
    expect(inbox).toEqual([]);
    expect(await outcomes()).toEqual({ '1/1440': 'superseded', '1/60': 'superseded', '1/15': 'superseded' });
  });

  test('at the old time of what was moved; it is sent at the new one', async () => {
    const { id } = await confirmed();
    const startTime = after(START, 120);
    await one.change('reschedule', therapist('dr-bob'), {
      appointmentId: id,
      version: 1,
      startTime,
      endTime: after(startTime, 50),
    });
    const inbox = await inboxes();
    before(DAY_MS);
    await beat();
    expect(inbox).toEqual([]);
    before(DAY_MS - 2 * HOUR_MS);
    await beat();
    expect(inbox.map(({ reminder }) => [reminder.startTime, reminder.minutesUntil])).toEqual(
      [1, 2].map(() => [startTime, 1_440]),
    );
    expect(await outcomes()).toMatchObject({ '1/1440': 'superseded', '2/1440': 'sent', '2/15': null });
  });

  test('while what the client moved is a request again; it is once that is confirmed', async () => {
    const { id } = await confirmed();
    const startTime = after(START, 120);
    await one.change('reschedule', client('alice'), {
      appointmentId: id,
      version: 1,
      startTime,
      endTime: after(startTime, 50),
    });
    before(HOUR_MS);
    const inbox = await inboxes();
    await beat();
    expect(inbox).toEqual([]);
    await one.change('confirm', therapist('dr-bob'), { appointmentId: id, version: 2 });
    await beat();
    expect(inbox.map(({ reminder }) => reminder.minutesUntil)).toEqual([180, 180]);
  });

  test('after the start: what the service slept through is recorded as suppressed', async () => {
    await confirmed();
    before(-1);
    const inbox = await inboxes();
    await beat();
    expect(inbox).toEqual([]);
    expect(await outcomes()).toEqual({
      '1/1440': 'suppressed-late',
      '1/60': 'suppressed-late',
      '1/15': 'suppressed-late',
    });
  });
});

test('after a downtime what is late and useful is sent once, with the minutes that are left', async () => {
  await confirmed();
  before(7 * MINUTE_MS);
  const inbox = await inboxes();
  await beat();
  expect(inbox.map(({ reminder }) => reminder.minutesUntil)).toEqual([7, 7]);
  expect(await outcomes('therapist')).toEqual({
    '1/1440': 'suppressed-collapsed',
    '1/60': 'suppressed-collapsed',
    '1/15': 'sent',
  });
});

test('a therapist whose room has another name is reminded in the room, by what they have chosen as a user', async () => {
  await pool.query(`insert into therapist values ('user-bob', 'dr-bob', 1)`);
  await createSetReminders({ pool, defaultOffsets: [60], now: () => now })({
    userId: 'user-bob',
    offsetsMinutes: [90],
  });
  await one.book(therapist('user-bob', 'dr-bob'), { startTime: START.toISOString() });
  before(90 * MINUTE_MS);
  const inbox = await inboxes();
  await beat();
  expect(inbox.map(({ to }) => to).toSorted()).toEqual(['client', 'therapist']);
  expect(await outcomes('therapist')).toEqual({ '1/90': 'sent' });
  const { rows } = await pool.query(
    `select f->'data'->>'userId' as user_id from outbox, json_array_elements(facts) as f
      where f->>'fact' = 'reminder.sent' order by 1`,
  );
  expect(rows.map(({ user_id }) => user_id)).toEqual(['alice', 'user-bob']);
});

describe('what a user has chosen', () => {
  const options = { defaultOffsets: [1_440, 60, 15], now: () => now };
  const set = (offsetsMinutes: number[] | null, userId = 'alice') =>
    createSetReminders({ pool, ...options })({ userId, offsetsMinutes });

  test('holds for what is booked later, for them alone', async () => {
    expect(await set([30, 120, 30])).toEqual({ offsetsMinutes: [120, 30], isDefault: false });
    await confirmed();
    expect(Object.keys(await outcomes('client'))).toEqual(['1/120', '1/30']);
    expect(Object.keys(await outcomes('therapist'))).toEqual(['1/1440', '1/60', '1/15']);
    expect(await createGetReminders({ pool, ...options })('alice')).toEqual({
      offsetsMinutes: [120, 30],
      isDefault: false,
    });
    expect(await createGetReminders({ pool, ...options })('dr-bob')).toEqual({
      offsetsMinutes: [1_440, 60, 15],
      isDefault: true,
    });
  });

  test('holds for what is booked already, and can be taken back', async () => {
    await confirmed();
    await set([60, 30]);
    expect(await outcomes()).toEqual({ '1/1440': 'superseded', '1/60': null, '1/30': null, '1/15': 'superseded' });
    await set(null);
    expect(await outcomes()).toEqual({ '1/1440': null, '1/60': null, '1/30': 'superseded', '1/15': null });
    await set([]);
    before(MINUTE_MS);
    const inbox = await inboxes();
    await beat();
    expect(inbox.map(({ to }) => to)).toEqual(['therapist']);
  });

  test('does not send what would have been due before', async () => {
    await confirmed();
    before(45 * MINUTE_MS);
    await beat();
    const inbox = await inboxes();
    await set([120, 50, 15]);
    await beat();
    expect(inbox).toEqual([]);
    expect(await outcomes()).toMatchObject({ '1/60': 'sent', '1/15': null });
  });
});

test('many due at once are sent once each by three replicas that beat at the same moment', async () => {
  const count = 1_200;
  await pool.query(
    `insert into appointment (id, client_id, therapist_id, status, version, start_at, end_at, blocked_until, time_zone,
                              wall_start, created_at, updated_at)
     select gen_random_uuid(), 'c-' || n, 'dr-bob-' || n, 'confirmed', 1, $1, $2, $2, 'UTC', '', now(), now()
       from generate_series(1, $3) n`,
    [START, after(START, 50), count],
  );
  await pool.query(
    `insert into reminder (appointment_id, version, offset_minutes, recipient, id, due_at)
     select id, 1, 15, r, gen_random_uuid(), $1 from appointment, unnest(array['client', 'therapist']) r`,
    [new Date(START.getTime() - 15 * MINUTE_MS)],
  );
  before(15 * MINUTE_MS);
  const received: string[] = [];
  const developer = await busAs(nats, 'developer');
  developer.connection.subscribe('deliver.v1.*.*.appointment.reminder', {
    callback: (_error, message) => void received.push(`${message.subject} ${message.json<Reminder>().reminderId}`),
  });
  await developer.connection.flush();
  await Promise.all([beat(), beat(poolOf(url)), beat(poolOf(url))]);
  await developer.connection.flush();
  expect(received).toHaveLength(2 * count);
  expect(new Set(received).size).toBe(2 * count);
  expect((await pool.query(`select from reminder where outcome is distinct from 'sent'`)).rowCount).toBe(0);
});

test('a cancel that is acknowledged while reminders are being sent is followed by none', async () => {
  const { id } = await confirmed();
  before(15 * MINUTE_MS);
  const inbox = await inboxes();
  await Promise.all([
    beat(),
    one.change('cancel', client('alice'), { appointmentId: id, version: 1 }).then(async () => {
      await gateway.connection.flush();
      const sofar = inbox.length;
      await beat();
      expect(inbox).toHaveLength(sofar);
    }),
  ]);
});

describe('reminders keep their distance across a change of the clocks', () => {
  test.each([
    ['Europe/Berlin', '2027-03-28T08:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25T09:00:00.000Z'],
    ['America/New_York', '2027-03-14T13:00:00.000Z'],
    ['America/New_York', '2026-11-01T14:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-03T22:00:00.000Z'],
    ['Australia/Lord_Howe', '2027-04-03T22:30:00.000Z'],
    ['Asia/Kolkata', '2027-03-28T03:30:00.000Z'],
  ])('in %s, of %s', async (timeZone, startTime) => {
    now = new Date(Date.parse(startTime) - 20 * DAY_MS);
    await one.book(therapist('dr-bob'), { startTime, timeZone });
    const { rows } = await pool.query<{ minutes: number }>(
      `select distinct offset_minutes as minutes from reminder
         where due_at = $1::timestamptz - offset_minutes * interval '1 minute' order by 1`,
      [startTime],
    );
    expect(rows.map(({ minutes }) => minutes)).toEqual([15, 60, 1_440]);
    const inbox = await inboxes();
    now = new Date(Date.parse(startTime) - DAY_MS);
    await beat();
    expect(inbox.map(({ reminder }) => reminder.minutesUntil)).toEqual([1_440, 1_440]);
  });
});
