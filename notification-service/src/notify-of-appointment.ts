import type { Fact } from '@rapport/bus';
import type { FactData } from '@rapport/contracts';
import type { PoolClient } from 'pg';
import { notifyOfOwn, OWN_SOURCE, type OwnOptions } from './notify-of-own.ts';
import type { OwnType } from './own-types.ts';

type AppointmentFact =
  | 'appointment.booked'
  | 'appointment.confirmed'
  | 'appointment.cancelled'
  | 'appointment.rescheduled'
  | 'appointment.completed'
  | 'appointment.missed';
type Change = FactData<AppointmentFact>;

/**
 * Tells of a change of an appointment: the other party, or both when neither of them made it. A fact that a later
 * change has overtaken tells nothing: what it says is not so any more. A batch is overtaken by another batch alone, as
 * a change of its first occurrence is not one of all.
 */
export function createNotifyOfAppointment(options: OwnOptions, name: AppointmentFact) {
  return async ({ data }: Fact<AppointmentFact>, client: PoolClient): Promise<(() => void) | undefined> => {
    if (!(await isLatest(client, data))) return undefined;
    // Of a series that goes on every week nobody wants to hear every week.
    if (data.extension) return undefined;
    // The first occurrence of several that were changed at once speaks for all.
    if (data.batch && data.batch.position > 1) return undefined;
    const type = typeOf(name, data);
    const { appointmentId, startTime, timeZone, seriesId } = data;
    const params = { appointmentId, startTime, timeZone, ...(seriesId !== undefined && { seriesId }) };
    const parties = new Set([data.clientUserId, data.therapistUserId]);
    if (data.changedBy !== undefined) parties.delete(data.changedBy);
    return notifyOfOwn(
      options,
      client,
      [...parties].map(userId => ({ userId, type, params })),
    );
  };
}

/** Tells who was reminded over their sockets, so that it reaches them when they have none. */
export function createNotifyOfReminder(options: OwnOptions) {
  return async ({ data }: Fact<'reminder.sent'>, client: PoolClient): Promise<(() => void) | undefined> => {
    const { userId, appointmentId, reminderId, startTime, timeZone, version, recipient } = data;
    // One whose appointment has changed since reminds of something that is not so any more.
    const { rowCount } = await client.query({
      name: 'appointment-newer',
      text: 'select from appointment_heard where appointment_id = $1 and version > $2',
      values: [appointmentId, version],
    });
    if (rowCount !== 0) return undefined;
    // Both parties know a reminder by the same id.
    const key = `${reminderId}/${recipient}`;
    const known = await client.query({
      name: 'reminder-known',
      text: 'select from notification where source = $1 and idempotency_key = $2',
      values: [OWN_SOURCE, key],
    });
    if (known.rowCount !== 0) return undefined;
    const params = { appointmentId, reminderId, startTime, timeZone };
    const expiresAt = new Date(startTime);
    return notifyOfOwn(options, client, [{ userId, type: 'APPOINTMENT_REMINDER', params, expiresAt, key }]);
  };
}

async function isLatest(client: PoolClient, { appointmentId, version, batch }: Change): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'appointment-heard',
    text: `insert into appointment_heard (appointment_id, version, batch_version, heard_at) values ($1, $2, $3, now())
           on conflict (appointment_id) do update
             set version = greatest(appointment_heard.version, excluded.version),
                 batch_version = greatest(appointment_heard.batch_version, excluded.batch_version), heard_at = now()
             where appointment_heard.batch_version < excluded.batch_version
                or excluded.batch_version = 0 and appointment_heard.version < excluded.version`,
    values: [appointmentId, version, batch ? version : 0],
  });
  return rowCount === 1;
}

function typeOf(name: AppointmentFact, { status, cause }: Change): OwnType {
  switch (name) {
    case 'appointment.booked':
      return status === 'requested' ? 'APPOINTMENT_REQUESTED' : 'APPOINTMENT_BOOKED';
    case 'appointment.confirmed':
      return 'APPOINTMENT_CONFIRMED';
    case 'appointment.cancelled':
      return cause === 'expired' ? 'APPOINTMENT_EXPIRED' : 'APPOINTMENT_CANCELLED';
    case 'appointment.rescheduled':
      return status === 'requested' ? 'APPOINTMENT_CHANGE_REQUESTED' : 'APPOINTMENT_RESCHEDULED';
    case 'appointment.completed':
      return 'APPOINTMENT_COMPLETED';
    case 'appointment.missed':
      return 'APPOINTMENT_MISSED';
  }
}
