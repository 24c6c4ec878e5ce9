import { defineEntity, p } from '@mikro-orm/core';
import type { ServiceInput, ServiceOutput } from '@rapport/contracts';
import { asDates, inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { planReminders, type Recipient } from './plan-reminders.ts';
import { therapistIdOf } from './therapists.ts';
import { lockParties } from './parties.ts';
import { chosenOffsets, insertReminders } from './write-reminders.ts';

/** How long before an appointment a user wants to be reminded. Who has no row has the defaults. */
export const ReminderPreferenceEntity = defineEntity({
  name: 'ReminderPreference',
  tableName: 'reminder_preference',
  properties: {
    userId: p.text().primary(),
    offsetsMinutes: p.array<number>().columnType('int[]'),
    updatedAt: p.datetime(3),
  },
});

interface PreferenceOptions {
  pool: Pool;
  defaultOffsets: readonly number[];
  now: () => Date;
}

type Setting = ServiceOutput<'reminder.get'>;

export function createGetReminders({ pool, defaultOffsets }: PreferenceOptions) {
  return async (userId: string): Promise<Setting> => {
    const client = await pool.connect();
    try {
      const chosen = (await chosenOffsets(client, [userId])).get(userId);
      return shown(chosen, defaultOffsets);
    } finally {
      client.release();
    }
  };
}

/** Sets it for what is booked later, and lays the reminders of what is booked down anew. */
export function createSetReminders({ pool, defaultOffsets, now }: PreferenceOptions) {
  return async ({ userId, offsetsMinutes }: ServiceInput<'reminder.set'>): Promise<Setting> => {
    const at = now();
    const chosen = offsetsMinutes === null ? undefined : [...new Set(offsetsMinutes)].toSorted((a, b) => b - a);
    await inTransaction(pool, async client => {
      const therapistId = await therapistIdOf(client, userId);
      // Every change of one of this user's appointments takes one of these two locks: none is under way now.
      await lockParties(client, { clientId: userId, therapistId });
      await keepChoice(client, userId, chosen, at);
      await planAnew(client, 'client', userId, chosen ?? defaultOffsets, at);
      await planAnew(client, 'therapist', therapistId, chosen ?? defaultOffsets, at);
    });
    return shown(chosen, defaultOffsets);
  };
}

async function keepChoice(client: PoolClient, userId: string, chosen: readonly number[] | undefined, now: Date) {
  if (!chosen) {
    await client.query('delete from reminder_preference where user_id = $1', [userId]);
    return;
  }
  await client.query(
    `insert into reminder_preference (user_id, offsets_minutes, updated_at) values ($1, $2, $3)
     on conflict (user_id) do update set offsets_minutes = excluded.offsets_minutes, updated_at = excluded.updated_at`,
    [userId, chosen, now],
  );
}

/** What is not wanted any more is superseded; what would have been due already is not sent after the fact. */
async function planAnew(
  client: PoolClient,
  recipient: Recipient,
  partyId: string,
  offsets: readonly number[],
  now: Date,
): Promise<void> {
  const party = recipient === 'client' ? 'client_id' : 'therapist_id';
  const { rows } = await client.query<{ id: string; version: number; startAt: Date }>({
    text: `select id, version, start_at as "startAt" from appointment
            where ${party} = $1 and status = 'confirmed' and start_at > $2`,
    types: asDates,
    values: [partyId, now],
  });
  await client.query(
    `update reminder set outcome = 'superseded', decided_at = $4
      where appointment_id = any($1) and recipient = $2 and outcome is null and offset_minutes <> all($3)`,
    [rows.map(({ id }) => id), recipient, offsets, now],
  );
  const wanted = rows.flatMap(row => planReminders(row, { client: [], therapist: [], [recipient]: offsets }));
  await insertReminders(
    client,
    wanted.filter(({ dueAt }) => dueAt > now),
  );
}

function shown(chosen: readonly number[] | undefined, defaultOffsets: readonly number[]): Setting {
  return { offsetsMinutes: [...(chosen ?? defaultOffsets)], isDefault: chosen === undefined };
}
