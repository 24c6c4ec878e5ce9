import { gunzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Actor } from '@rapport/contracts';
import ICAL from 'ical.js';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { atEnd, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { createCalendarFeed, createReadFeed, createRevokeFeed } from '../src/calendar-feeds.ts';
import { database } from '../src/database.ts';
import { isKnown } from '../src/render-calendar.ts';
import { after, appointmentDatabase, client, emptyDatabase, replica, service, therapist, type Replica } from './kit.ts';

let db: Database;
let one: Replica;
let at: Date;
const now = () => at;
const START = '2026-12-01T09:00:00.000Z';
const ALICE: Actor = { userId: 'alice', role: 'client' };
const BOB: Actor = { userId: 'user-bob', role: 'therapist', therapistId: 'dr-bob' };

beforeAll(async () => {
  const { url } = await appointmentDatabase(await runningPostgres());
  db = await connectDatabase({ url, poolSize: 5, definition: database });
  atEnd(() => db.close());
}, START_TIMEOUT_MS);

beforeEach(async () => {
  await emptyDatabase(db.pool);
  at = new Date('2026-11-25T08:00:00.000Z');
  one = replica({ pool: db.pool, now });
});

const create = (actor: Actor) => createCalendarFeed({ orm: db.orm, now, publicUrl: 'https://app.example.org/' })(actor);
const secretOf = ({ url }: { url: string }) =>
  /^https:\/\/app\.example\.org\/calendar\/([\w-]{43})\.ics$/.exec(url)?.[1] ?? '';
const read = (secret: string, ifNoneMatch?: string) => createReadFeed({ ...db, now })({ secret, ifNoneMatch });

const textOf = async (actor: Actor) => textBehind(secretOf(await create(actor)));
async function textBehind(secret: string): Promise<string> {
  const page = await read(secret);
  return gunzipSync(Buffer.from(page.gzipped ?? '', 'base64')).toString();
}

/** As a parser that is not ours reads it. */
const eventsOf = async (actor: Actor) => eventsBehind(secretOf(await create(actor)));
async function eventsBehind(secret: string) {
  const calendar = new ICAL.Component(ICAL.parse(await textBehind(secret)) as unknown[]);
  return calendar.getAllSubcomponents('vevent').map(component => {
    const event = new ICAL.Event(component);
    return {
      uid: event.uid,
      sequence: event.sequence,
      start: event.startDate.toJSDate().toISOString(),
      end: event.endDate.toJSDate().toISOString(),
      title: event.summary,
      status: component.getFirstPropertyValue('status'),
    };
  });
}

describe('the calendar of a user', () => {
  test('has their appointments, as another parser reads them, with neutral titles', async () => {
    const booked = await one.book(service(), { startTime: START, therapistName: 'Dr. Bob' });
    await one.book(service(), { startTime: after(START, 60), clientId: 'carol' });
    const [event, ...others] = await eventsOf(ALICE);
    expect(others).toEqual([]);
    expect(event).toEqual({
      uid: `${booked.id}@rapport`,
      sequence: 1,
      start: START,
      end: after(START, 50),
      title: 'Appointment',
      status: 'TENTATIVE',
    });
    const text = await textOf(ALICE);
    expect(text).not.toMatch(/bob|alice|therap/i);
    expect(await eventsOf(BOB)).toHaveLength(2);
    expect(await eventsOf({ userId: 'dr-bob', role: 'client' })).toEqual([]);
  });

  test('keeps the UID and raises SEQUENCE with every change, and keeps what was cancelled', async () => {
    const { id } = await one.book(client('alice'), { startTime: START });
    await one.change('confirm', therapist('user-bob', 'dr-bob'), { appointmentId: id, version: 1 });
    expect(await eventsOf(ALICE)).toMatchObject([{ uid: `${id}@rapport`, sequence: 2, status: 'CONFIRMED' }]);
    const startTime = after(START, 120);
    await one.change('reschedule', service(), {
      appointmentId: id,
      version: 2,
      startTime,
      endTime: after(startTime, 50),
    });
    expect(await eventsOf(ALICE)).toMatchObject([{ uid: `${id}@rapport`, sequence: 3, start: startTime }]);
    await one.change('cancel', client('alice'), { appointmentId: id, version: 3, reason: 'I am in hospital' });
    expect(await eventsOf(ALICE)).toMatchObject([{ uid: `${id}@rapport`, sequence: 4, status: 'CANCELLED' }]);
    expect(await textOf(ALICE)).not.toContain('hospital');
  });

  test('has every occurrence of a series at its own time', async () => {
    await one.book(service(), { startTime: '2027-03-22T08:00:00.000Z', recurrence: 'FREQ=WEEKLY;COUNT=2' });
    expect((await eventsOf(ALICE)).map(({ start }) => start)).toEqual([
      '2027-03-22T08:00:00.000Z',
      '2027-03-29T07:00:00.000Z',
    ]);
  });

  test('is valid RFC 5545: lines of at most 75 bytes that end with CRLF, and what each component must have', async () => {
    await one.book(service(), { startTime: START });
    const text = await textOf(ALICE);
    const lines = text.split('\r\n');
    expect(lines.filter(line => line.includes('\n') || Buffer.byteLength(line) > 75)).toEqual([]);
    expect(lines[0]).toBe('BEGIN:VCALENDAR');
    for (const required of [
      /^VERSION:2\.0$/,
      /^PRODID:/,
      /^UID:/,
      /^DTSTAMP:\d{8}T\d{6}Z$/,
      /^DTSTART:\d{8}T\d{6}Z$/,
    ]) {
      expect(lines.some(line => required.test(line))).toBe(true);
    }
  });

  test('goes back 90 days', async () => {
    await one.book(service(), { startTime: START });
    at = new Date(Date.parse(START) + 90 * 24 * 3_600_000);
    expect(await eventsOf(ALICE)).toHaveLength(1);
    at = new Date(at.getTime() + 1);
    expect(await eventsOf(ALICE)).toEqual([]);
  });
});

describe('its address', () => {
  test('is a secret of which only the hash is stored', async () => {
    const secret = secretOf(await create(ALICE));
    const { rows } = await db.pool.query('select * from calendar_feed');
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect((await read(secret)).status).toBe(200);
  });

  test('stops to work when it is revoked, and when another is made, and looks then as if it had never been', async () => {
    const first = secretOf(await create(ALICE));
    const second = secretOf(await create(ALICE));
    expect([(await read(first)).status, (await read(second)).status]).toEqual([404, 200]);
    await createRevokeFeed({ orm: db.orm })(ALICE);
    expect(await read(second)).toEqual(await read('never'));
  });

  test('shows a room no more that has passed to another therapist', async () => {
    const [room, mine] = [
      await one.book(service(), { startTime: START }),
      await one.book(service(), { startTime: after(START, 60), clientId: 'user-bob', therapistId: 'dr-dan' }),
    ].map(({ id }) => `${id}@rapport`);
    const secret = secretOf(await create(BOB));
    const shown = async () => (await eventsBehind(secret)).map(({ uid }) => uid);
    await db.pool.query(`insert into therapist values ('user-bob', 'dr-bob', 1)`);
    expect(await shown()).toEqual([room, mine]);
    await db.pool.query(`update therapist set therapist_id = null, version = 2`);
    await db.pool.query(`insert into therapist values ('user-eve', 'dr-bob', 1)`);
    expect(await shown()).toEqual([mine]);
  });

  test('answers 304 to who has what is there', async () => {
    const secret = secretOf(await create(ALICE));
    const { id } = await one.book(client('alice'), { startTime: START });
    const { etag } = await read(secret);
    expect(await read(secret, etag)).toEqual({ status: 304, etag });
    expect(await read(secret)).toMatchObject({ etag });
    await one.change('cancel', client('alice'), { appointmentId: id, version: 1 });
    expect((await read(secret, etag)).status).toBe(200);
  });

  test.each([
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    [undefined, false],
  ])('If-None-Match %s of what has the tag "a": %s', (header, known) => {
    expect([isKnown(header, '"a"'), isKnown(header, 'W/"a"')]).toEqual([known, known]);
  });
});
