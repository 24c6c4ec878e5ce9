import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { atEnd, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import type { Caller } from '../src/caller.ts';
import { createContactPolicy } from '../src/contact-policy.ts';
import { database } from '../src/database.ts';
import { createFindSlots } from '../src/find-slots.ts';
import { createGetAvailability, createSetAvailability } from '../src/availability.ts';
import { createListAppointments } from '../src/list-appointments.ts';
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
} from './kit.ts';

let db: Database;
const NOW = new Date('2026-11-25T08:00:00.000Z');
const now = () => NOW;
const START = '2026-12-01T09:00:00.000Z';

beforeAll(async () => {
  const { url } = await appointmentDatabase(await runningPostgres());
  db = await connectDatabase({ url, poolSize: 5, definition: database });
  atEnd(() => db.orm.close(true));
}, START_TIMEOUT_MS);

beforeEach(() => emptyDatabase(db.pool));

const link = (clientUserId: string, therapistUserId: string, linked = true) =>
  db.pool.query(
    `insert into care_relationship values ($1, $2, $3, 1, now())
     on conflict (client_user_id, therapist_user_id) do update set linked = excluded.linked`,
    [clientUserId, therapistUserId, linked],
  );

let minutes = 0;
/** At a time of its own. */
async function booking(policy: 'open' | 'care-team', caller: Caller, clientId: string, therapistId: string) {
  minutes += 60;
  const one = replica({ pool: db.pool, now, policy });
  return (await failure(one.book(caller, { startTime: after(START, minutes), clientId, therapistId }))).split(':')[0];
}

describe('who books for whom', () => {
  test('under open: a client for themself, a therapist with themself, admins and services for anybody', async () => {
    const open = (caller: Caller, clientId: string, therapistId: string) =>
      booking('open', caller, clientId, therapistId);
    expect(await open(client('alice'), 'alice', 'dr-bob')).toBe('it did not fail');
    expect(await open(client('alice'), 'carol', 'dr-bob')).toBe('UNAUTHORIZED');
    expect(await open(therapist('user-bob', 'dr-bob'), 'alice', 'dr-bob')).toBe('it did not fail');
    expect(await open(therapist('user-bob', 'dr-bob'), 'alice', 'dr-dan')).toBe('UNAUTHORIZED');
    expect(await open(therapist('user-bob', 'dr-bob'), 'alice', 'user-bob')).toBe('UNAUTHORIZED');
    expect(await open(admin('root'), 'alice', 'dr-bob')).toBe('it did not fail');
    expect(await open(service(), 'alice', 'dr-bob')).toBe('it did not fail');
  });

  test('under care-team: clients and therapists with whom they are linked alone', async () => {
    const team = (caller: Caller, clientId: string) => booking('care-team', caller, clientId, 'dr-bob');
    expect(await team(client('alice'), 'alice')).toBe('UNAUTHORIZED');
    expect(await team(therapist('dr-bob'), 'alice')).toBe('UNAUTHORIZED');
    await link('alice', 'dr-bob');
    expect(await team(client('alice'), 'alice')).toBe('it did not fail');
    expect(await team(therapist('dr-bob'), 'alice')).toBe('it did not fail');
    await link('alice', 'dr-bob', false);
    expect(await team(client('alice'), 'alice')).toBe('UNAUTHORIZED');
    expect([await team(admin('root'), 'alice'), await team(service(), 'alice')]).toEqual(
      Array(2).fill('it did not fail'),
    );
  });

  test('a therapist whose room has another name than their user is linked as the user and booked as the room', async () => {
    const team = (caller: Caller) => booking('care-team', caller, 'alice', 'dr-bob');
    await link('alice', 'user-bob');
    expect(await team(client('alice'))).toBe('UNAUTHORIZED');
    await db.pool.query(`insert into therapist values ('user-bob', 'dr-bob', 1)`);
    expect(await team(client('alice'))).toBe('it did not fail');
    expect(await team(therapist('user-bob', 'dr-bob'))).toBe('it did not fail');
    const { rows } = await db.pool.query(
      `select f->'data'->>'therapistUserId' as "userId", f->'data'->>'therapistId' as id
         from outbox, json_array_elements(facts) as f`,
    );
    expect(rows).toEqual([1, 2].map(() => ({ userId: 'user-bob', id: 'dr-bob' })));
  });

  test('a refusal is the same whether the therapist exists or not', async () => {
    const one = replica({ pool: db.pool, now, policy: 'care-team' });
    await link('carol', 'dr-bob');
    const [known, unknown] = await Promise.all(
      ['dr-bob', 'nobody'].map(therapistId => failure(one.book(client('alice'), { startTime: START, therapistId }))),
    );
    expect(known).toBe(unknown);
  });
});

describe('availability', () => {
  const HOURS = {
    timeZone: 'Europe/Berlin',
    weekly: [{ day: 'tuesday' as const, from: '09:00', to: '11:00' }],
    exceptions: [{ date: '2026-12-08', hours: [] }],
  };
  const policy = () => createContactPolicy({ policy: 'care-team', pool: db.pool });

  test('is what was set last, and nothing before', async () => {
    const get = createGetAvailability({ orm: db.orm, requireContact: policy().requireContact });
    const set = createSetAvailability({ orm: db.orm, now });
    const own = therapist('dr-bob');
    expect(await get(own, { therapistId: 'dr-bob' })).toEqual({ therapistId: 'dr-bob', weekly: [], exceptions: [] });
    await set('dr-bob', { ...HOURS, weekly: [] });
    const stored = await set('dr-bob', HOURS);
    expect(stored).toEqual({ therapistId: 'dr-bob', ...HOURS, updatedAt: NOW.toISOString() });
    expect(await get(own, { therapistId: 'dr-bob' })).toEqual(stored);
  });

  test('is shown, with the free slots, to those who may book alone', async () => {
    const { requireContact } = policy();
    const get = createGetAvailability({ orm: db.orm, requireContact });
    const slots = createFindSlots({ pool: db.pool, requireContact, bufferMs: 0, now });
    await link('alice', 'dr-bob');
    const asked = { therapistId: 'dr-bob', from: START, to: after(START, 60), durationMinutes: 30 };
    for (const caller of [client('alice'), therapist('dr-bob'), admin('root'), service()]) {
      await get(caller, asked);
      expect((await slots(caller, asked)).slots).toHaveLength(2);
    }
    for (const caller of [client('carol'), therapist('dr-dan')]) {
      expect(await failure(get(caller, asked))).toMatch(/^UNAUTHORIZED/);
      expect(await failure(slots(caller, asked))).toMatch(/^UNAUTHORIZED/);
    }
  });

  test('and what is booked make the slots: each can be booked, and none of them twice', async () => {
    await createSetAvailability({ orm: db.orm, now })('dr-bob', HOURS);
    await link('alice', 'dr-bob');
    const bufferMinutes = 10;
    const one = replica({ pool: db.pool, now, policy: 'care-team', bufferMinutes });
    await one.book(service(), {
      startTime: '2026-12-01T08:35:00.000Z',
      endTime: '2026-12-01T09:00:00.000Z',
      clientId: 'carol',
    });
    const { requireContact } = policy();
    const slots = createFindSlots({ pool: db.pool, requireContact, bufferMs: bufferMinutes * 60_000, now });
    const asked = { therapistId: 'dr-bob', from: NOW.toISOString(), to: after(NOW, 21 * 1440), durationMinutes: 25 };
    const found = await slots(client('alice'), asked);
    expect(found.slots.map(({ startTime }) => startTime.slice(5, 16))).toEqual([
      '12-01T08:00',
      '12-01T09:10',
      '12-15T08:00',
      '12-15T08:35',
      '12-15T09:10',
    ]);
    for (const slot of found.slots) await one.book(client('alice'), slot);
    expect((await slots(client('alice'), asked)).slots).toEqual([]);
  });

  test('can be asked for 31 days at most', async () => {
    const slots = createFindSlots({ pool: db.pool, requireContact: policy().requireContact, bufferMs: 0, now });
    const asked = { therapistId: 'dr-bob', from: START, durationMinutes: 30 };
    expect(await failure(slots(service(), { ...asked, to: after(START, 31 * 1440 + 1) }))).toMatch(/^INVALID_PAYLOAD/);
    expect(await failure(slots(service(), { ...asked, to: START }))).toMatch(/^INVALID_PAYLOAD/);
  });
});

describe('a list', () => {
  const times = (list: { appointments: { startTime: string }[] }) =>
    list.appointments.map(({ startTime }) => startTime.slice(8, 13));

  test('has what the caller may see, by start time', async () => {
    const list = createListAppointments(db);
    const one = replica({ pool: db.pool, now });
    await one.book(service(), { startTime: '2026-12-03T09:00:00.000Z' });
    await one.book(service(), { startTime: '2026-12-01T09:00:00.000Z', clientId: 'carol' });
    await one.book(service(), { startTime: '2026-12-02T09:00:00.000Z', therapistId: 'dr-dan' });
    const all = { limit: 50 };
    expect(times(await list(client('alice'), all))).toEqual(['02T09', '03T09']);
    expect(times(await list(therapist('user-bob', 'dr-bob'), all))).toEqual(['01T09', '03T09']);
    expect(times(await list(client('dr-bob'), all))).toEqual([]);
    expect(times(await list(admin('root'), all))).toEqual(['01T09', '02T09', '03T09']);
    expect(times(await list(service(), all))).toEqual(['01T09', '02T09', '03T09']);
    expect(times(await list(service('crm', 'carol'), all))).toEqual(['01T09']);
    await db.pool.query(`insert into therapist values ('user-dan', 'dr-dan', 1)`);
    expect(times(await list(service('crm', 'user-dan'), all))).toEqual(['02T09']);
    expect(times(await list(service(), { ...all, clientId: 'alice', therapistId: 'dr-bob' }))).toEqual(['03T09']);
    expect(times(await list(client('carol'), { ...all, clientId: 'alice' }))).toEqual([]);
  });

  test('is of a range and of states, and comes in pages without a gap or a repeat', async () => {
    const list = createListAppointments(db);
    const one = replica({ pool: db.pool, now });
    await one.book(therapist('dr-bob'), { startTime: START, recurrence: 'FREQ=DAILY;COUNT=11' });
    const first = await one.book(service(), { startTime: after(START, 60), therapistId: 'dr-dan' });
    const own = client('alice');
    expect(
      times(await list(own, { limit: 50, from: '2026-12-01T09:50:00.000Z', to: '2026-12-04T09:00:00.000Z' })),
    ).toEqual(['01T10', '02T09', '03T09']);
    expect((await list(own, { limit: 50, status: 'requested' })).appointments.map(({ id }) => id)).toEqual([first.id]);
    expect((await list(own, { limit: 50, status: ['requested', 'confirmed'] })).appointments).toHaveLength(12);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(own, { limit: 5, ...(cursor !== undefined && { cursor }) });
      seen.push(...page.appointments.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(12);
    expect(seen).toHaveLength(12);
    for (const bad of ['nonsense', '', Buffer.from('x/y').toString('base64url')]) {
      expect(await failure(list(own, { limit: 5, cursor: bad }))).toMatch(/^INVALID_PAYLOAD/);
    }
  });
});
