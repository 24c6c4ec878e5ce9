import { invalidPayload, type ServiceInput, type ServiceOutput } from '@rapport/contracts';
import type { FilterQuery } from '@mikro-orm/core';
import type { Database } from '@rapport/service/database';
import type { Pool } from 'pg';
import { AppointmentEntity, asRow, toAppointment, type AppointmentRow } from './appointment.ts';
import type { Caller } from './caller.ts';
import { therapistIdOf } from './therapists.ts';

type ListInput = ServiceInput<'appointment.list'>;
type ListOutput = ServiceOutput<'appointment.list'>;

/** A page of the appointments that the caller may see, by start time. */
export function createListAppointments({ orm, pool }: Database) {
  return async (caller: Caller, input: ListInput): Promise<ListOutput> => {
    const { from, to, status, clientId, therapistId, limit } = input;
    const filters: FilterQuery<AppointmentRow>[] = [
      await visibleTo(pool, caller),
      ...(from === undefined ? [] : [{ endAt: { $gt: new Date(from) } }]),
      ...(to === undefined ? [] : [{ startAt: { $lt: new Date(to) } }]),
      ...(status === undefined ? [] : [{ status: { $in: Array.isArray(status) ? status : [status] } }]),
      ...(clientId === undefined ? [] : [{ clientId }]),
      ...(therapistId === undefined ? [] : [{ therapistId }]),
      ...(input.cursor === undefined ? [] : [after(input.cursor)]),
    ];
    const found = await orm.em
      .fork()
      .find(AppointmentEntity, { $and: filters }, { orderBy: { startAt: 'asc', id: 'asc' }, limit: limit + 1 });
    const page = found.slice(0, limit).map(asRow);
    const last = page.at(-1);
    return {
      appointments: page.map(row => toAppointment(row)),
      ...(found.length > limit && last && { nextCursor: cursorOf(last) }),
    };
  };
}

/** Their own as a client and as a therapist; of an admin and of a service that acts for nobody, all. */
async function visibleTo(pool: Pool, caller: Caller): Promise<FilterQuery<AppointmentRow>> {
  if (caller.kind === 'user') {
    if (caller.role === 'admin') return {};
    const own = { clientId: caller.userId };
    return caller.role === 'therapist' ? { $or: [own, { therapistId: caller.therapistId }] } : own;
  }
  if (caller.kind !== 'service' || caller.onBehalfOf === undefined) return {};
  const userId = caller.onBehalfOf;
  return { $or: [{ clientId: userId }, { therapistId: await therapistIdOf(pool, userId) }] };
}

/** Where a page ends: its last row's place in the order. */
function cursorOf({ startAt, id }: AppointmentRow): string {
  return Buffer.from(`${startAt.toISOString()}/${id}`).toString('base64url');
}

const PLACE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\/([0-9a-f-]{36})$/;

function after(cursor: string): FilterQuery<AppointmentRow> {
  const [, time = '', id = ''] = PLACE.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const startAt = new Date(time);
  if (Number.isNaN(startAt.getTime())) {
    throw invalidPayload({ path: 'cursor', message: 'must be the nextCursor of a page' });
  }
  return { $or: [{ startAt: { $gt: startAt } }, { startAt, id: { $gt: id } }] };
}
