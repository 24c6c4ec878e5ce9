import type { Actor, Appointment, ServiceInput } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import type { Outbox, OutboxFact } from '@rapport/service/database';
import type { Pool } from 'pg';
import { migrate } from '../../libs/service/src/database/connection.ts';
import { newDatabase, poolOf, recordedLog } from '../../libs/service/test/kit.ts';
import type { AppointmentRow } from '../src/appointment.ts';
import { createBookAppointment, type BookingOptions } from '../src/book-appointment.ts';
import { serviceCaller, userCaller, type Caller } from '../src/caller.ts';
import { createChangeAppointment, type ChangeInput } from '../src/change-appointment.ts';
import { createContactPolicy } from '../src/contact-policy.ts';
import { database } from '../src/database.ts';
import type { Command } from '../src/transitions.ts';
import type { ChangeFactName } from '../src/write-appointments.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The appointment service's own database, empty and migrated. */
export async function appointmentDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: database }, recordedLog().log);
  const pool = poolOf(url, 10);
  // For whatever day a test's clock shows.
  await pool.query('create table outbox_any_day partition of outbox default');
  return { url, pool };
}

/** Nothing is in it any more. */
export async function emptyDatabase(pool: Pool): Promise<void> {
  await pool.query(`truncate appointment, appointment_change, booking_key, reminder, reminder_preference, availability,
                    series, therapist, care_relationship, calendar_feed, outbox`);
}

export const client = (userId: string): Caller => user({ userId, role: 'client' });
export const therapist = (userId: string, therapistId = userId): Caller =>
  user({ userId, role: 'therapist', therapistId });
export const admin = (userId: string): Caller => user({ userId, role: 'admin' });
export const service = (name = 'crm', onBehalfOf?: string): Caller =>
  serviceCaller({ service: name, ...(onBehalfOf !== undefined && { onBehalfOf }) });

function user(actor: Actor): Caller {
  return userCaller(actor);
}

/** What was told to sockets and published, in order. */
interface Told {
  readonly fact: OutboxFact<ChangeFactName>;
  readonly row: AppointmentRow;
}

/** One replica of the service, without a bus, on a clock that the test holds. */
export interface Replica {
  book(caller: Caller, input: Partial<BookInput> & Pick<BookInput, 'startTime'>): Promise<Appointment>;
  change(
    command: Command,
    caller: Caller,
    input: Partial<ChangeInput> & Pick<ChangeInput, 'appointmentId'>,
  ): Promise<Appointment>;
  readonly told: Told[];
  readonly options: BookingOptions;
}
type BookInput = ServiceInput<'appointment.book'>;

interface ReplicaOptions {
  readonly pool: Pool;
  readonly now: () => Date;
  readonly bufferMinutes?: number;
  readonly policy?: 'open' | 'care-team';
  readonly offsets?: readonly number[];
}

export function replica({
  pool,
  now,
  bufferMinutes = 0,
  policy = 'open',
  offsets = [1440, 60, 15],
}: ReplicaOptions): Replica {
  const told: Told[] = [];
  const outbox: Outbox = { publish: () => undefined };
  const options: BookingOptions = {
    pool,
    outbox,
    tellChange: (fact, row) => void told.push({ fact, row }),
    bufferMs: bufferMinutes * MINUTE_MS,
    defaultOffsets: offsets,
    now,
  };
  const { requireBookable } = createContactPolicy({ policy, pool });
  const book = createBookAppointment({ ...options, requireBookable });
  const change = createChangeAppointment(options);
  return {
    told,
    options,
    book: (caller, input) =>
      book(caller, {
        therapistId: 'dr-bob',
        clientId: 'alice',
        endTime: after(input.startTime, 50),
        timeZone: 'Europe/Berlin',
        ...input,
      }),
    change: (command, caller, input) => change(command)(caller, { scope: 'this', ...input }),
  };
}

/** That many minutes later. */
export function after(time: string | Date, minutes: number): string {
  return new Date(new Date(time).getTime() + minutes * MINUTE_MS).toISOString();
}

/** What it rejects with, as `code: message`. */
export async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
  return 'it did not fail';
}
