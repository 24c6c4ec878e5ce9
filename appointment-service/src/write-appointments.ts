import type { FactData } from '@rapport/contracts';
import { insertFacts, newFact, type OutboxFact } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import type { AppointmentRow } from './appointment.ts';
import { responsibleUser, type Caller } from './caller.ts';
import type { SeriesRow } from './lay-out.ts';
import type { Command } from './transitions.ts';
import { userOfTherapist } from './therapists.ts';
import { remind, supersedeReminders } from './write-reminders.ts';

/** What a command does to one appointment. */
export interface AppointmentChange {
  /** As it was; nothing before a booking. */
  readonly before: AppointmentRow | undefined;
  readonly after: AppointmentRow;
}

/** `extend`: to book what has come within two years of an endless series. */
type ChangeKind = Command | 'book' | 'extend';
export type ChangeFactName = (typeof FACTS)[ChangeKind];
type ChangeFact = OutboxFact<ChangeFactName>;

const FACTS = {
  book: 'appointment.booked',
  extend: 'appointment.booked',
  confirm: 'appointment.confirmed',
  cancel: 'appointment.cancelled',
  expire: 'appointment.cancelled',
  reschedule: 'appointment.rescheduled',
  complete: 'appointment.completed',
  'no-show': 'appointment.missed',
} as const;

interface ChangeSet {
  readonly kind: ChangeKind;
  readonly caller: Caller;
  /** All of the same client and therapist, by start time; the named one may be anywhere. */
  readonly changes: readonly AppointmentChange[];
  readonly now: Date;
}

/**
 * Writes what a command does, with its history, its facts and its reminders. The caller holds the locks of both
 * parties and commits.
 * @returns the facts, in the order of the changes
 * @throws the error of an exclusion constraint when a time is taken
 */
export async function writeChanges(
  client: PoolClient,
  set: ChangeSet,
  defaultOffsets: readonly number[],
): Promise<ChangeFact[]> {
  const { kind, changes, now } = set;
  const rows = changes.map(({ after }) => after);
  const [first] = rows;
  if (!first) return [];
  const therapistUserId = await userOfTherapist(client, first.therapistId);
  const facts = changes.map(({ after }, index) => factOf(set, after, therapistUserId, index + 1));
  const areNew = kind === 'book' || kind === 'extend';
  if (areNew) await insertAppointments(client, rows);
  else await updateAppointments(client, rows);
  await insertChanges(client, set);
  await insertFacts(client, facts);
  if (!areNew) await supersedeReminders(client, rows, now);
  if (areNew || kind === 'confirm' || kind === 'reschedule') {
    await remind(
      client,
      rows.filter(({ status }) => status === 'confirmed'),
      { clientUserId: first.clientId, therapistUserId, defaultOffsets },
    );
  }
  return facts;
}

function factOf(
  { kind, caller, changes, now }: ChangeSet,
  row: AppointmentRow,
  therapistUserId: string,
  position: number,
) {
  const changedBy = responsibleUser(caller);
  const data: FactData<ChangeFactName> = {
    appointmentId: row.id,
    ...(row.seriesId !== null && { seriesId: row.seriesId }),
    clientUserId: row.clientId,
    therapistId: row.therapistId,
    therapistUserId,
    status: row.status,
    version: row.version,
    startTime: row.startAt.toISOString(),
    endTime: row.endAt.toISOString(),
    timeZone: row.timeZone,
    ...(changedBy !== undefined && { changedBy }),
    ...(kind === 'expire' && { cause: 'expired' as const }),
    ...(kind === 'extend' && { extension: true as const }),
    changedAt: now.toISOString(),
    ...(changes.length > 1 && { batch: { position, count: changes.length } }),
  };
  return newFact<ChangeFactName>(FACTS[kind], data, now);
}

// The columns are named, so that a replica one version behind leaves those it does not know to their defaults.
const INSERTED = `id, series_id, client_id, therapist_id, status, version, start_at, end_at, blocked_until, time_zone,
  wall_start, wall_time, recurrence, therapist_name, reason, requested_at, created_at, updated_at`;

async function insertAppointments(client: PoolClient, rows: readonly AppointmentRow[]): Promise<void> {
  await client.query({
    name: 'appointment-insert',
    text: `insert into appointment (${INSERTED}) select ${INSERTED} from jsonb_populate_recordset(null::appointment, $1)`,
    values: [JSON.stringify(rows.map(toColumns))],
  });
}

async function updateAppointments(client: PoolClient, rows: readonly AppointmentRow[]): Promise<void> {
  await client.query({
    name: 'appointment-update',
    text: `update appointment a
              set status = n.status, version = n.version, start_at = n.start_at, end_at = n.end_at,
                  blocked_until = n.blocked_until, wall_start = n.wall_start, wall_time = n.wall_time,
                  reason = n.reason, requested_at = n.requested_at, updated_at = n.updated_at
             from jsonb_populate_recordset(null::appointment, $1) n
            where a.id = n.id`,
    values: [JSON.stringify(rows.map(toColumns))],
  });
}

function toColumns(row: AppointmentRow) {
  return {
    id: row.id,
    series_id: row.seriesId,
    client_id: row.clientId,
    therapist_id: row.therapistId,
    status: row.status,
    version: row.version,
    start_at: row.startAt,
    end_at: row.endAt,
    blocked_until: row.blockedUntil,
    time_zone: row.timeZone,
    wall_start: row.wallStart,
    wall_time: row.wallTime,
    recurrence: row.recurrence,
    therapist_name: row.therapistName,
    reason: row.reason,
    requested_at: row.requestedAt,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}

async function insertChanges(client: PoolClient, { caller, changes, now }: ChangeSet): Promise<void> {
  const by = {
    changed_at: now,
    changed_by: caller.kind,
    user_id: responsibleUser(caller) ?? null,
    service: caller.kind === 'service' ? caller.service : null,
  };
  const rows = changes.map(({ before, after }) => ({
    ...by,
    appointment_id: after.id,
    version: after.version,
    from_status: before?.status,
    from_start: before?.startAt,
    from_end: before?.endAt,
    to_status: after.status,
    to_start: after.startAt,
    to_end: after.endAt,
    reason: after.reason,
  }));
  const columns = `appointment_id, version, changed_at, changed_by, user_id, service, from_status, from_start, from_end,
                   to_status, to_start, to_end, reason`;
  await client.query({
    name: 'appointment-change-insert',
    text: `insert into appointment_change (${columns})
           select ${columns} from jsonb_populate_recordset(null::appointment_change, $1)`,
    values: [JSON.stringify(rows)],
  });
}

export async function insertSeries(client: PoolClient, series: SeriesRow): Promise<void> {
  await client.query({
    name: 'series-insert',
    text: `insert into series (id, recurrence, time_zone, wall_start, duration_ms, laid_out_to, is_endless, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      series.id,
      series.recurrence,
      series.timeZone,
      series.wallStart,
      series.durationMs,
      series.laidOutTo,
      series.isEndless,
      series.createdAt,
    ],
  });
}
