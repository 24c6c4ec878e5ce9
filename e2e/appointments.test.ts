import { beforeAll, describe, expect, test } from '@jest/globals';
import { requestAsService, type Bus } from '@rapport/bus';
import type { Appointment, ServiceInput, ServiceOutput, ServiceRequestName } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import { Pool } from 'pg';
import type { Socket } from 'socket.io-client';
import { atEnd, until } from '../libs/service/test/kit.ts';
import { backOfficeOf, connected, emit, inboxOf, next, runningStack, secret, STACK_TIMEOUT_MS } from './kit.ts';
import { holdCommits } from './hold-commits.ts';

let stack: Stack;
let backOffice: Bus;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'appointment-service': 2 } });
  backOffice = await backOfficeOf(stack);
}, STACK_TIMEOUT_MS);

const MINUTE_MS = 60_000;
const at = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();

function session(startsInMs: number, people: { clientId: string; therapistId: string }) {
  return { ...people, startTime: at(startsInMs), endTime: at(startsInMs + 50 * MINUTE_MS), timeZone: 'Europe/Berlin' };
}

/** What the back office gets. */
async function ask<N extends ServiceRequestName>(
  name: N,
  input: ServiceInput<N>,
  onBehalfOf?: string,
): Promise<ServiceOutput<N>> {
  const actor = { service: 'crm', ...(onBehalfOf !== undefined && { onBehalfOf }) };
  const ack = (await requestAsService(backOffice, name, { actor, input })).read();
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}

async function ok(socket: Socket, event: string, input?: unknown): Promise<Appointment & Record<string, unknown>> {
  const ack = await emit(socket, event, ...(input === undefined ? [] : [input]));
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data as unknown as Appointment & Record<string, unknown>;
}

/** A client, and a therapist whose room has another name than their user. */
async function pair(name: string) {
  const people = { clientId: `${name}-alice`, therapistId: `dr-${name}` };
  const claims = { role: 'therapist', therapistId: people.therapistId };
  const [alice, bob] = await Promise.all([
    connected(stack, people.clientId),
    connected(stack, `${name}-bob`, { gateway: 1, claims }),
  ]);
  return { people, alice, bob };
}

describe('over sockets', () => {
  test('a request is booked, confirmed, moved and cancelled, and each change reaches both', async () => {
    const { people, alice, bob } = await pair('whole');
    const both = () => Promise.all([next(alice, 'appointment:updated'), next(bob, 'appointment:updated')]);

    let told = both();
    const booked = await ok(alice, 'appointment:book', session(3 * 24 * 60 * MINUTE_MS, people));
    expect(booked).toMatchObject({ status: 'requested', version: 1, ...people });
    const [toAlice, toBob] = await told;
    expect(toAlice).toEqual({
      appointmentId: booked.id,
      status: 'requested',
      message: expect.stringMatching(
        /^An appointment was requested for \w+ \d+ \w+ \d{4} at \d\d:\d\d \(Europe\/Berlin\)\.$/,
      ),
      appointment: booked,
    });
    expect(toBob).toEqual(toAlice);

    const change = async (socket: Socket, event: string, version: number, more = {}) => {
      told = both();
      const changed = await ok(socket, event, { appointmentId: booked.id, version, ...more });
      expect((await told).map(each => each['appointment'])).toEqual([changed, changed]);
      return changed;
    };
    expect(await change(bob, 'appointment:confirm', 1)).toMatchObject({ status: 'confirmed', version: 2 });
    const later = session(4 * 24 * 60 * MINUTE_MS, people);
    expect(await change(bob, 'appointment:reschedule', 2, later)).toMatchObject({
      status: 'confirmed',
      startTime: later.startTime,
    });
    const reason = secret('reason');
    expect(await change(alice, 'appointment:cancel', 3, { reason })).toMatchObject({ status: 'cancelled', reason });

    const again = await emit(bob, 'appointment:confirm', { appointmentId: booked.id, version: 4 });
    expect(again).toMatchObject({
      ok: false,
      error: {
        code: 'CONFLICT',
        message: 'an appointment that is cancelled cannot be confirmed; allowed now: nothing',
      },
    });
    const listed = await ok(alice, 'appointment:list');
    expect(listed['appointments']).toMatchObject([{ id: booked.id, status: 'cancelled', version: 4 }]);
    expect((await ok(bob, 'appointment:list', {}))['appointments']).toHaveLength(1);
  });

  test('a client confirms nothing, and learns nothing of what is not theirs', async () => {
    const { people, alice } = await pair('nosy');
    const carol = await connected(stack, 'nosy-carol');
    const booked = await ok(alice, 'appointment:book', session(60 * MINUTE_MS, people));
    const known = { appointmentId: booked.id, version: 1 };
    for (const event of ['confirm', 'complete', 'no-show']) {
      expect(await emit(alice, `appointment:${event}`, known)).toMatchObject({
        ok: false,
        error: { code: 'UNAUTHORIZED' },
      });
    }
    const unknown = { appointmentId: 'nothing', version: 1 };
    expect(await emit(carol, 'appointment:cancel', known)).toEqual(await emit(carol, 'appointment:cancel', unknown));
    expect((await ok(carol, 'appointment:list'))['appointments']).toEqual([]);
  });

  test('one confirmed inside the last offset is announced to both, exactly once, at once', async () => {
    const { people, alice, bob } = await pair('soon');
    const inboxes = [inboxOf(alice), inboxOf(bob)];
    const booked = await ask('appointment.book', { ...session(10 * MINUTE_MS, people), therapistName: secret('name') });
    const confirmedAt = Date.now();
    const [toAlice, toBob] = await Promise.all([
      next(alice, 'appointment:reminder'),
      next(bob, 'appointment:reminder'),
      ok(bob, 'appointment:confirm', { appointmentId: booked.id, version: 1 }),
    ]);
    expect(Date.now() - confirmedAt).toBeLessThan(10_000);
    expect(toAlice).toEqual({
      id: booked.id,
      therapistName: booked.therapistName,
      startTime: booked.startTime,
      minutesUntil: 10,
      reminderId: expect.any(String),
    });
    expect(toBob).toEqual(toAlice);
    const decided = databaseOfAppointments();
    await until(
      async () =>
        (await decided.query('select from reminder where appointment_id = $1 and outcome is null', [booked.id]))
          .rowCount === 0,
    );
    await ok(alice, 'appointment:list');
    for (const inbox of inboxes) expect(inbox.filter(([event]) => event === 'appointment:reminder')).toHaveLength(1);
  });

  test('a therapist completes what has started, and not before', async () => {
    const { people, bob } = await pair('done');
    const booked = await ok(bob, 'appointment:book', session(60 * MINUTE_MS, people));
    const known = { appointmentId: booked.id, version: 1 };
    expect(await emit(bob, 'appointment:complete', known)).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
    // Nothing that is booked starts in the past, and to wait for a start is to race with a slow machine.
    await databaseOfAppointments().query(
      `update appointment set start_at = now() - interval '1 second' where id = $1`,
      [booked.id],
    );
    expect(await ok(bob, 'appointment:complete', known)).toMatchObject({ status: 'completed', version: 2 });
  });

  test('a therapist sets working hours, and a client finds and books a slot in them', async () => {
    const { people, alice, bob } = await pair('slots');
    const { therapistId } = people;
    const day = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' })
      .format(Date.now() + 3 * 24 * 60 * MINUTE_MS)
      .toLowerCase();
    await ok(bob, 'availability:set', { timeZone: 'UTC', weekly: [{ day, from: '09:00', to: '11:00' }] });
    expect(await ok(alice, 'availability:get', { therapistId })).toMatchObject({ therapistId, exceptions: [] });
    const week = { therapistId, from: at(0), to: at(7 * 24 * 60 * MINUTE_MS), durationMinutes: 60 };
    const { slots } = (await ok(alice, 'appointment:slots', week)) as unknown as {
      slots: { startTime: string; endTime: string }[];
    };
    expect(slots).toHaveLength(2);
    await ok(alice, 'appointment:book', { ...people, ...slots[0], timeZone: 'UTC' });
    expect(await emit(alice, 'appointment:book', { ...people, ...slots[0], timeZone: 'UTC' })).toMatchObject({
      ok: false,
      error: { code: 'CONFLICT', message: 'this time is not available' },
    });
    expect(await emit(alice, 'availability:set', { timeZone: 'UTC', weekly: [] })).toMatchObject({
      error: { code: 'UNAUTHORIZED' },
    });
    expect((await ok(alice, 'appointment:slots', week))['slots']).toEqual(slots.slice(1));
  });

  test('a user chooses when to be reminded', async () => {
    const { alice } = await pair('choice');
    expect(await ok(alice, 'reminder:get')).toEqual({ offsetsMinutes: [1440, 60, 15], isDefault: true });
    expect(await ok(alice, 'reminder:set', { offsetsMinutes: [5] })).toEqual({ offsetsMinutes: [5], isDefault: false });
    expect(await emit(alice, 'reminder:set', { offsetsMinutes: [0] })).toMatchObject({
      error: { code: 'INVALID_PAYLOAD' },
    });
  });

  test.each([
    ['no zone', { timeZone: 'Mars/Olympus' }],
    ['an offset for a zone', { timeZone: '+01:00' }],
    ['a rule that repeats within a day', { recurrence: 'FREQ=HOURLY' }],
    ['a rule that is none', { recurrence: 'every week' }],
    ['a time without milliseconds', { startTime: '2027-01-01T09:00:00Z' }],
    ['a client that is no id', { clientId: 'a.>' }],
  ])('a booking with %s is INVALID_PAYLOAD', async (_what, wrong) => {
    const { people, alice } = await pair('invalid');
    const input = { ...session(60 * MINUTE_MS, people), ...wrong };
    expect(await emit(alice, 'appointment:book', input)).toMatchObject({ error: { code: 'INVALID_PAYLOAD' } });
  });
});

describe('the back office', () => {
  test('does all of it for anybody, and sees the history', async () => {
    const people = { clientId: 'office-alice', therapistId: 'dr-office' };
    const booked = await ask('appointment.book', session(60 * MINUTE_MS, people), 'office-alice');
    expect(booked.status).toBe('requested');
    const known = { appointmentId: booked.id, scope: 'this' as const };
    await ask('appointment.confirm', { ...known, version: 1 });
    await ask('appointment.reschedule', {
      ...known,
      version: 2,
      startTime: at(90 * MINUTE_MS),
      endTime: at(120 * MINUTE_MS),
    });
    await ask('appointment.no-show', { ...known, version: 3 });
    const { appointment, changes } = await ask('appointment.history', { appointmentId: booked.id });
    expect(appointment).toMatchObject({ status: 'no-show', version: 4 });
    expect(changes.map(({ by, service, userId, to }) => [by, service, userId, to.status])).toEqual([
      ['service', 'crm', 'office-alice', 'requested'],
      ['service', 'crm', undefined, 'confirmed'],
      ['service', 'crm', undefined, 'confirmed'],
      ['service', 'crm', undefined, 'no-show'],
    ]);
    expect((await ask('appointment.list', { limit: 50 }, 'office-alice')).appointments.map(({ id }) => id)).toEqual([
      booked.id,
    ]);
    await expect(ask('appointment.cancel', { ...known, appointmentId: 'nothing', version: 1 })).rejects.toThrow(
      'NOT_FOUND',
    );
  });
});

describe('both replicas killed', () => {
  const replicas = () => ['appointment-service-1', 'appointment-service-2'].map(name => stack.programs.get(name)!);
  const killAll = async () => {
    for (const replica of replicas()) replica.kill('SIGKILL');
    await until(() => replicas().every(({ pid }) => pid === undefined));
  };
  const ready = () => Promise.all(replicas().map(replica => replica.ready()));

  test('between commit and publishing, both are told all the same, and the retry finds what was booked', async () => {
    const { people, alice, bob } = await pair('killed');
    const told = [next(alice, 'appointment:updated'), next(bob, 'appointment:updated')];
    const commits = await holdCommits(databaseOfAppointments(), 'appointment');
    const input = { ...session(60 * MINUTE_MS, people), idempotencyKey: 'k-1' };
    alice.emit('appointment:book', input);
    await commits.held();
    await killAll();
    await commits.release();
    await ready();
    const [toAlice, toBob] = await Promise.all(told);
    expect(toBob).toEqual(toAlice);
    expect(await ok(alice, 'appointment:book', input)).toMatchObject({ id: toAlice?.['appointmentId'], version: 1 });
  }, 60_000);

  test('while a reminder falls due, it is sent when they are back', async () => {
    const { people, alice } = await pair('downtime');
    const reminded = next(alice, 'appointment:reminder');
    await ok(alice, 'reminder:set', { offsetsMinutes: [10] });
    const booked = await ask('appointment.book', session(10 * MINUTE_MS + 3_000, people));
    await ask('appointment.confirm', { appointmentId: booked.id, version: 1, scope: 'this' });
    await killAll();
    await ready();
    const { id, minutesUntil } = await reminded;
    expect(id).toBe(booked.id);
    // However long they were away.
    expect([8, 9, 10]).toContain(minutesUntil);
  }, 60_000);
});

function databaseOfAppointments(): Pool {
  const pool = new Pool({ connectionString: stack.databases['appointment-service'], max: 3 });
  pool.on('error', () => undefined);
  atEnd(() => pool.end());
  return pool;
}
