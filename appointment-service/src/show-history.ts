import { defineEntity, p } from '@mikro-orm/core';
import { AppError, type AppointmentStatus, type ServiceInput, type ServiceOutput } from '@rapport/contracts';
import type { Database } from '@rapport/service/database';
import { validate as isUuid } from 'uuid';
import { AppointmentEntity, asRow, toAppointment } from './appointment.ts';

/** What happened to an appointment, once for every version. */
export const AppointmentChangeEntity = defineEntity({
  name: 'AppointmentChange',
  tableName: 'appointment_change',
  properties: {
    appointmentId: p.uuid().primary(),
    version: p.integer().primary(),
    changedAt: p.datetime(3),
    changedBy: p.text().$type<'user' | 'service' | 'system'>(),
    userId: p.text().nullable(),
    service: p.text().nullable(),
    fromStatus: p.text().$type<AppointmentStatus>().nullable(),
    fromStart: p.datetime(3).nullable(),
    fromEnd: p.datetime(3).nullable(),
    toStatus: p.text().$type<AppointmentStatus>(),
    toStart: p.datetime(3),
    toEnd: p.datetime(3),
    reason: p.text().nullable(),
  },
});

/** Shows a service who changed an appointment, when, from what, to what, and why. */
export function createShowHistory({ orm }: { orm: Database['orm'] }) {
  return async ({
    appointmentId,
  }: ServiceInput<'appointment.history'>): Promise<ServiceOutput<'appointment.history'>> => {
    const em = orm.em.fork();
    const appointment = isUuid(appointmentId) && (await em.findOne(AppointmentEntity, { id: appointmentId }));
    if (!appointment) throw new AppError('NOT_FOUND', 'there is no such appointment');
    const changes = await em.find(AppointmentChangeEntity, { appointmentId }, { orderBy: { version: 'asc' } });
    return {
      appointment: toAppointment(asRow(appointment)),
      changes: changes.map(change => ({
        version: change.version,
        at: change.changedAt.toISOString(),
        by: change.changedBy,
        ...(change.userId != null && { userId: change.userId }),
        ...(change.service != null && { service: change.service }),
        ...(change.fromStatus &&
          change.fromStart &&
          change.fromEnd && {
            from: {
              status: change.fromStatus,
              startTime: change.fromStart.toISOString(),
              endTime: change.fromEnd.toISOString(),
            },
          }),
        to: {
          status: change.toStatus,
          startTime: change.toStart.toISOString(),
          endTime: change.toEnd.toISOString(),
        },
        ...(change.reason != null && { reason: change.reason }),
      })),
    };
  };
}
