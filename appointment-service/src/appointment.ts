import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Appointment, AppointmentStatus } from '@rapport/contracts';
import type { WallTimeRule } from './wall-time.ts';

/** One session, also when it is an occurrence of a series. */
export const AppointmentEntity = defineEntity({
  name: 'Appointment',
  tableName: 'appointment',
  indexes: [
    { name: 'appointment_of_client', properties: ['clientId', 'startAt', 'id'] },
    { name: 'appointment_of_therapist', properties: ['therapistId', 'startAt', 'id'] },
  ],
  properties: {
    id: p.uuid().primary(),
    seriesId: p.uuid().nullable(),
    clientId: p.text(),
    therapistId: p.text(),
    status: p.text().$type<AppointmentStatus>(),
    version: p.integer(),
    startAt: p.datetime(3),
    endAt: p.datetime(3),
    /** The end and the buffer after it: until then both are taken. */
    blockedUntil: p.datetime(3),
    timeZone: p.text(),
    /** The wall time that is meant, also where the clocks are changed over it. */
    wallStart: p.text(),
    /** How a wall time that is no single moment was read. */
    wallTime: p.text().$type<WallTimeRule>().nullable(),
    /** Of the series. */
    recurrence: p.text().nullable(),
    /** As a service gave it with the booking. */
    therapistName: p.text().nullable(),
    /** What was given with the latest change. */
    reason: p.text().nullable(),
    /** Since when an answer is waited for; of a request. */
    requestedAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});
type Entity = InferEntity<typeof AppointmentEntity>;
/** A row as it is read: what is not there is `null`. */
export type AppointmentRow = { readonly [P in keyof Entity]: Exclude<Entity[P], undefined> };

/** The ORM reads a missing value as `null`, and has `undefined` in its types for entities that are made by hand. */
export function asRow(entity: Entity): AppointmentRow {
  return entity as AppointmentRow;
}

/** The columns, by the property that each becomes. */
export const APPOINTMENT_COLUMNS = `
  id, series_id as "seriesId", client_id as "clientId", therapist_id as "therapistId", status, version,
  start_at as "startAt", end_at as "endAt", blocked_until as "blockedUntil", time_zone as "timeZone",
  wall_start as "wallStart", wall_time as "wallTime", recurrence, therapist_name as "therapistName", reason,
  requested_at as "requestedAt", created_at as "createdAt", updated_at as "updatedAt"`;

/** The statuses in which the time is taken; the exclusion constraints name the same. */
export const LIVE = ['requested', 'confirmed'] as const satisfies readonly AppointmentStatus[];

/** The appointment as the contract shows it. */
export function toAppointment(row: AppointmentRow): Appointment {
  return {
    id: row.id,
    version: row.version,
    status: row.status,
    clientId: row.clientId,
    therapistId: row.therapistId,
    ...(row.therapistName !== null && { therapistName: row.therapistName }),
    startTime: row.startAt.toISOString(),
    endTime: row.endAt.toISOString(),
    timeZone: row.timeZone,
    ...(row.seriesId !== null && { seriesId: row.seriesId }),
    ...(row.recurrence !== null && { recurrence: row.recurrence }),
    ...(row.wallTime !== null && { wallTime: row.wallTime }),
    ...(row.reason !== null && { reason: row.reason }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
