import { createHash } from 'node:crypto';
import { AppError, invalidPayload, type ServiceInput, type ServiceOutput } from '@rapport/contracts';
import { asDates, inTransaction, type Outbox } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { APPOINTMENT_COLUMNS, toAppointment, type AppointmentRow } from './appointment.ts';
import { hoursOf } from './availability.ts';
import { partyOf, type Caller } from './caller.ts';
import type { RequireBookable } from './contact-policy.ts';
import { layOut } from './lay-out.ts';
import { requireOpenRequests } from './open-requests.ts';
import { lockParties } from './parties.ts';
import { asNotAvailable, notAvailable, readTimes } from './times.ts';
import type { TellChange } from './tell-change.ts';
import { userOfTherapist } from './therapists.ts';
import { statusWhenBooked, type Party } from './transitions.ts';
import { isWorkingTime } from './working-hours.ts';
import { insertSeries, writeChanges, type AppointmentChange } from './write-appointments.ts';

type BookInput = ServiceInput<'appointment.book'>;
type Booked = ServiceOutput<'appointment.book'>;

export interface BookingOptions {
  pool: Pool;
  outbox: Outbox;
  tellChange: TellChange;
  bufferMs: number;
  defaultOffsets: readonly number[];
  now: () => Date;
}

/** Commits an appointment, or all occurrences of a series; then tells both; then replies. */
export function createBookAppointment(options: BookingOptions & { requireBookable: RequireBookable }) {
  const { pool, outbox, tellChange, now, requireBookable } = options;
  return async (caller: Caller, input: BookInput): Promise<Booked> => {
    await requireBookable(caller, input);
    const known = await findBooked(pool, caller, input);
    if (known) return replyOf(known);
    const therapistUserId = await userOfTherapist(pool, input.therapistId);
    if (input.clientId === input.therapistId || input.clientId === therapistUserId) {
      throw invalidPayload({ path: 'clientId', message: 'must be another person than the therapist' });
    }
    const at = now();
    const { rows, facts } = await onceMore(() =>
      inTransaction(pool, client => book(client, { caller, input, now: at }, options)),
    );
    for (const [index, fact] of facts.entries()) {
      const row = rows[index];
      if (row) tellChange(fact, row);
      outbox.publish(fact);
    }
    return replyOf(rows);
  };
}

async function book(
  client: PoolClient,
  { caller, input, now }: { caller: Caller; input: BookInput; now: Date },
  { bufferMs, defaultOffsets }: BookingOptions,
) {
  const party = partyOf(caller, input) ?? 'office';
  const status = statusWhenBooked(party);
  const booking = {
    ...readTimes(input, now),
    clientId: input.clientId,
    therapistId: input.therapistId,
    timeZone: input.timeZone,
    recurrence: input.recurrence,
    therapistName: input.therapistName,
  };
  const { series, rows } = layOut(booking, { status, bufferMs, now });
  await lockParties(client, input);
  const known = await findBooked(client, caller, input);
  if (known) return { rows: known, facts: [] };
  if (party === 'client') await requireOpenRequests(client, input.clientId);
  await requireWorkingTime(client, party, input.therapistId, rows);
  try {
    if (series) await insertSeries(client, series);
    const changes = rows.map((after): AppointmentChange => ({ before: undefined, after }));
    const facts = await writeChanges(client, { kind: 'book', caller, changes, now }, defaultOffsets);
    await keepKey(client, caller, input, rows[0], now);
    return { rows, facts };
  } catch (error) {
    throw asNotAvailable(error);
  }
}

/**
 * A client books within the working hours alone.
 * @throws AppError `CONFLICT`, in the same words as for a time that is taken
 */
export async function requireWorkingTime(
  client: PoolClient,
  party: Party,
  therapistId: string,
  rows: readonly AppointmentRow[],
): Promise<void> {
  if (party !== 'client') return;
  const hours = await hoursOf(client, therapistId);
  if (!rows.every(({ startAt, endAt }) => isWorkingTime(hours, { start: startAt, end: endAt }))) throw notAvailable();
}

const UNIQUE_VIOLATION = '23505';

/**
 * The same idempotency key at the same moment for other people, under other locks, is committed now: the second
 * attempt finds it.
 */
async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code !== UNIQUE_VIOLATION || constraint !== 'booking_key_pkey') throw error;
    return work();
  }
}

/** Whose keys they are: each user and each service has their own. */
function bookedBy(caller: Caller): string {
  return caller.kind === 'user'
    ? `user:${caller.userId}`
    : `service:${caller.kind === 'service' ? caller.service : ''}`;
}

function hashOf(input: BookInput): Buffer {
  const { therapistId, clientId, startTime, endTime, timeZone, recurrence, therapistName } = input;
  const body = [therapistId, clientId, startTime, endTime, timeZone, recurrence, therapistName];
  return createHash('sha256').update(JSON.stringify(body)).digest();
}

async function keepKey(
  client: PoolClient,
  caller: Caller,
  input: BookInput,
  first: AppointmentRow | undefined,
  now: Date,
) {
  if (input.idempotencyKey === undefined || !first) return;
  await client.query({
    name: 'booking-key-insert',
    text: 'insert into booking_key (booked_by, key, body_hash, appointment_id, created_at) values ($1, $2, $3, $4, $5)',
    values: [bookedBy(caller), input.idempotencyKey, hashOf(input), first.id, now],
  });
}

/**
 * What was booked under this idempotency key, all occurrences of a series.
 * @throws AppError `CONFLICT` when that had another body
 */
async function findBooked(
  database: Pool | PoolClient,
  caller: Caller,
  input: BookInput,
): Promise<AppointmentRow[] | undefined> {
  if (input.idempotencyKey === undefined) return undefined;
  const found = await database.query<{ hash: Buffer; id: string }>({
    name: 'booking-key-find',
    text: 'select body_hash as hash, appointment_id as id from booking_key where booked_by = $1 and key = $2',
    values: [bookedBy(caller), input.idempotencyKey],
  });
  const [known] = found.rows;
  if (!known) return undefined;
  if (!known.hash.equals(hashOf(input))) {
    throw new AppError('CONFLICT', 'this idempotencyKey belongs to a booking with another body', {
      details: [{ path: 'idempotencyKey', message: 'must be new, or come with the body it first came with' }],
    });
  }
  const rows = await database.query<AppointmentRow>({
    name: 'booking-key-rows',
    text: `select ${APPOINTMENT_COLUMNS} from appointment
            where id = $1 or series_id = (select series_id from appointment where id = $1)
            order by id <> $1, start_at`,
    types: asDates,
    values: [known.id],
  });
  return rows.rows;
}

/** The first appointment, and what there is to say of the others. */
function replyOf(rows: readonly AppointmentRow[]): Booked {
  const [first] = rows;
  if (!first) throw new Error('a booking has no appointment');
  const adjusted = rows.flatMap(({ id, startAt, wallTime }) =>
    wallTime === null ? [] : [{ appointmentId: id, startTime: startAt.toISOString(), wallTime }],
  );
  return {
    ...toAppointment(first),
    ...(first.seriesId !== null && { occurrences: rows.length }),
    ...(adjusted.length > 0 && { adjusted }),
  };
}
