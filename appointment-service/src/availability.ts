import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { AppError, type Availability, type AvailabilitySetting } from '@rapport/contracts';
import { asDates, type Database } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import type { Caller } from './caller.ts';
import type { RequireContact } from './contact-policy.ts';
import type { WorkingHours } from './working-hours.ts';

/** When a therapist works. A therapist without a row is bookable at any time. */
export const AvailabilityEntity = defineEntity({
  name: 'Availability',
  tableName: 'availability',
  properties: {
    therapistId: p.text().primary(),
    timeZone: p.text(),
    weekly: p.json<AvailabilitySetting['weekly']>(),
    exceptions: p.json<AvailabilitySetting['exceptions']>(),
    updatedAt: p.datetime(3),
  },
});
type AvailabilityRow = InferEntity<typeof AvailabilityEntity>;

/** Shows the hours of a therapist to those who may book them. */
export function createGetAvailability({
  orm,
  requireContact,
}: {
  orm: Database['orm'];
  requireContact: RequireContact;
}) {
  return async (caller: Caller, { therapistId }: { therapistId: string }): Promise<Availability> => {
    await requireContact(caller, therapistId);
    const row = await orm.em.fork().findOne(AvailabilityEntity, { therapistId });
    return row ? toAvailability(row) : { therapistId, weekly: [], exceptions: [] };
  };
}

/** Replaces the hours of a therapist. What is booked stays booked. */
export function createSetAvailability({ orm, now }: { orm: Database['orm']; now: () => Date }) {
  return async (therapistId: string, setting: AvailabilitySetting): Promise<Availability> => {
    const { timeZone, weekly, exceptions } = setting;
    const dates = exceptions.map(({ date }) => date);
    if (new Set(dates).size !== dates.length) {
      throw new AppError('INVALID_PAYLOAD', 'the payload breaks the rules of this event', {
        details: [{ path: 'exceptions', message: 'must name each date once' }],
      });
    }
    const row = { therapistId, timeZone, weekly, exceptions, updatedAt: now() };
    await orm.em.fork().upsert(AvailabilityEntity, row);
    return toAvailability(row);
  };
}

/** The hours of a therapist, within the transaction of a booking. */
export async function hoursOf(database: Pool | PoolClient, therapistId: string): Promise<WorkingHours | undefined> {
  const result = await database.query<WorkingHours>({
    name: 'availability-hours',
    text: `select time_zone as "timeZone", weekly, exceptions from availability where therapist_id = $1`,
    types: asDates,
    values: [therapistId],
  });
  return result.rows[0];
}

function toAvailability({ therapistId, timeZone, weekly, exceptions, updatedAt }: AvailabilityRow): Availability {
  return { therapistId, timeZone, weekly, exceptions, updatedAt: updatedAt.toISOString() };
}
