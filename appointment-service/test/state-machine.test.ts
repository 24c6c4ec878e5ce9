import assert from 'node:assert/strict';
import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import type { Caller } from '../src/caller.ts';
import {
  admin,
  appointmentDatabase,
  client,
  emptyDatabase,
  failure,
  replica,
  service,
  therapist,
  type Replica,
} from './kit.ts';

// Random commands of several people, through two replicas, against the real database and a model beside it. The model
// says of each command what must come of it, and at the end the tables must be what the model is.

let pool: Pool;
let url: string;

beforeAll(async () => {
  ({ pool, url } = await appointmentDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

const EPOCH = Date.parse('2026-12-01T08:00:00.000Z');
const BUFFER_MINUTES = 10;

const CALLERS: Readonly<Record<string, Caller>> = {
  alice: client('alice'),
  carol: client('carol'),
  bob: therapist('user-bob', 'dr-bob'),
  dan: therapist('dr-dan'),
  root: admin('root'),
  crm: service('crm', 'alice'),
};
type CallerName = string;

interface Appointment {
  readonly id: string;
  readonly clientId: string;
  readonly therapistId: string;
  status: string;
  version: number;
  start: number;
  end: number;
}

/** All there is to know. Minutes since the epoch; whole ones. */
interface Model {
  now: number;
  readonly appointments: Appointment[];
}

const isLive = ({ status }: Appointment) => status === 'requested' || status === 'confirmed';

function isTaken(
  model: Model,
  of: { clientId: string; therapistId: string },
  start: number,
  end: number,
  except?: Appointment,
) {
  return model.appointments.some(
    other =>
      other !== except &&
      isLive(other) &&
      (other.clientId === of.clientId || other.therapistId === of.therapistId) &&
      other.start < end + BUFFER_MINUTES &&
      other.end + BUFFER_MINUTES > start,
  );
}

function partyOf(
  name: CallerName,
  { clientId, therapistId }: { clientId: string; therapistId: string },
): string | undefined {
  if (name === 'root' || name === 'crm') return 'office';
  if (name === clientId) return 'client';
  return { bob: 'dr-bob', dan: 'dr-dan' }[name] === therapistId ? 'therapist' : undefined;
}

/** Status afterwards, or the code of the refusal: section 4 of the contract in other words than the service has. */
function expected(appointment: Appointment, command: string, party: string | undefined, now: number): string {
  if (party === undefined) return 'UNAUTHORIZED';
  const { status, start } = appointment;
  if (party === 'client' && ['confirm', 'complete', 'no-show'].includes(command)) return 'UNAUTHORIZED';
  const isOver = !isLive(appointment);
  if (isOver) return 'CONFLICT';
  if (command === 'cancel') return 'cancelled';
  if (command === 'confirm') return status === 'requested' ? 'confirmed' : 'CONFLICT';
  if (command === 'reschedule') return party === 'client' ? 'requested' : status;
  if (status !== 'confirmed') return 'CONFLICT';
  if (party === 'therapist' && now < start) return 'CONFLICT';
  return command === 'complete' ? 'completed' : 'no-show';
}

interface Real {
  readonly replicas: readonly Replica[];
  turn: number;
}
const time = (minutes: number) => new Date(EPOCH + minutes * 60_000).toISOString();
const codeOf = (text: string) => text.split(':')[0] ?? '';

class Book implements fc.AsyncCommand<Model, Real> {
  readonly what: { by: CallerName; clientId: string; therapistId: string; start: number; length: number };
  constructor(what: Book['what']) {
    this.what = what;
  }
  check = () => true;
  toString = () => `book ${JSON.stringify(this.what)}`;
  async run(model: Model, real: Real): Promise<void> {
    const { by, clientId, therapistId, start, length } = this.what;
    const party = partyOf(by, this.what);
    const open = model.appointments.filter(each => each.clientId === clientId && each.status === 'requested').length;
    const refusal =
      party === undefined
        ? 'UNAUTHORIZED'
        : start < model.now
          ? 'INVALID_PAYLOAD'
          : isTaken(model, this.what, start, start + length) || (party === 'client' && open >= 10)
            ? 'CONFLICT'
            : undefined;
    const times = { startTime: time(start), endTime: time(start + length) };
    const booking = real.replicas[real.turn++ % 2]!.book(CALLERS[by]!, { clientId, therapistId, ...times });
    if (refusal) {
      assert.equal(codeOf(await failure(booking)), refusal);
      return;
    }
    const { id, status } = await booking;
    assert.equal(status, party === 'therapist' ? 'confirmed' : 'requested');
    model.appointments.push({ id, clientId, therapistId, status, version: 1, start, end: start + length });
  }
}

class Change implements fc.AsyncCommand<Model, Real> {
  readonly what: {
    by: CallerName;
    command: 'confirm' | 'cancel' | 'complete' | 'no-show' | 'reschedule';
    index: number;
    stale: boolean;
    start: number;
    length: number;
  };
  constructor(what: Change['what']) {
    this.what = what;
  }
  check = (model: Readonly<Model>) => model.appointments.length > 0;
  toString = () => JSON.stringify(this.what);
  async run(model: Model, real: Real): Promise<void> {
    const { by, command, index, stale, start, length } = this.what;
    const appointment = model.appointments[index % model.appointments.length]!;
    const party = partyOf(by, appointment);
    let outcome = expected(appointment, command, party, model.now);
    const isAllowed = !['UNAUTHORIZED', 'CONFLICT'].includes(outcome);
    if (isAllowed && stale) outcome = 'CONFLICT';
    else if (isAllowed && command === 'reschedule') {
      const others = model.appointments.filter(
        each => each !== appointment && each.clientId === appointment.clientId && each.status === 'requested',
      ).length;
      if (start < model.now) outcome = 'INVALID_PAYLOAD';
      else if (party === 'client' && others >= 10) outcome = 'CONFLICT';
      else if (isTaken(model, appointment, start, start + length, appointment)) outcome = 'CONFLICT';
    }
    const work = real.replicas[real.turn++ % 2]!.change(command, CALLERS[by]!, {
      appointmentId: appointment.id,
      version: appointment.version + (stale ? 1 : 0),
      ...(command === 'reschedule' && { startTime: time(start), endTime: time(start + length) }),
    });
    if (/^[A-Z]/.test(outcome)) {
      assert.equal(codeOf(await failure(work)), outcome);
      return;
    }
    const { status, version } = await work;
    assert.deepEqual({ status, version }, { status: outcome, version: appointment.version + 1 });
    appointment.status = outcome;
    appointment.version += 1;
    if (command === 'reschedule') Object.assign(appointment, { start, end: start + length });
  }
}

class Wait implements fc.AsyncCommand<Model, Real> {
  readonly minutes: number;
  constructor(minutes: number) {
    this.minutes = minutes;
  }
  check = () => true;
  toString = () => `wait ${this.minutes}`;
  run(model: Model): Promise<void> {
    model.now += this.minutes;
    return Promise.resolve();
  }
}

const by = fc.constantFrom(...Object.keys(CALLERS));
const start = fc.integer({ min: 0, max: 24 }).map(half => half * 30);
const length = fc.constantFrom(20, 30, 50);
const commands = fc.commands(
  [
    fc
      .record({
        by,
        clientId: fc.constantFrom('alice', 'carol'),
        therapistId: fc.constantFrom('dr-bob', 'dr-dan'),
        start,
        length,
      })
      .map(what => new Book(what)),
    fc
      .record({
        by,
        command: fc.constantFrom('confirm', 'cancel', 'complete', 'no-show', 'reschedule'),
        index: fc.nat({ max: 20 }),
        stale: fc.constantFrom(false, false, false, true),
        start,
        length,
      })
      .map(what => new Change(what)),
    fc.integer({ min: 1, max: 90 }).map(minutes => new Wait(minutes)),
  ],
  { maxCommands: 60 },
);

test('whatever several people do, in whatever order, comes out as the model says', async () => {
  const other = poolOf(url, 5);
  await fc.assert(
    fc.asyncProperty(commands, async plan => {
      await emptyDatabase(pool);
      const model: Model = { now: 0, appointments: [] };
      const now = () => new Date(EPOCH + model.now * 60_000);
      const replicas = [pool, other].map(each => replica({ pool: each, now, bufferMinutes: BUFFER_MINUTES }));
      await fc.asyncModelRun(() => ({ model, real: { replicas, turn: 0 } }), plan);
      expect(await stored()).toEqual(shown(model));
    }),
    { numRuns: 60 },
  );
}, 120_000);

/** Every change has its row of history and its fact, and reminders wait for the present version of what is confirmed. */
async function stored() {
  const { rows } = await pool.query<Record<string, unknown>>(
    `select id, status, version, start_at as start, end_at as end,
            (select count(*)::int from appointment_change c where c.appointment_id = a.id) as changes,
            (select count(*)::int from outbox, json_array_elements(outbox.facts) as f
              where f->'data'->>'appointmentId' = a.id::text) as facts,
            (select array_agg(distinct r.version) from reminder r where r.appointment_id = a.id and outcome is null)
              as announced
       from appointment a order by id`,
  );
  return rows;
}

function shown({ appointments }: Model) {
  return appointments
    .map(({ id, status, version, start: from, end }) => ({
      id,
      status,
      version,
      start: new Date(time(from)),
      end: new Date(time(end)),
      changes: version,
      facts: version,
      announced: status === 'confirmed' ? [version] : null,
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
