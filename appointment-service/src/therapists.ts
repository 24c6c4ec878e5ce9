import { defineEntity, p } from '@mikro-orm/core';
import type { Fact } from '@rapport/bus';
import type { Pool, PoolClient } from 'pg';

// Which therapistId (room, calendar, availability) belongs to which user, as the profiles say. A projection of
// `profile.changed`; who is not in it has their user id for both.

export const TherapistEntity = defineEntity({
  name: 'Therapist',
  tableName: 'therapist',
  indexes: [{ name: 'therapist_room', properties: ['therapistId'] }],
  properties: {
    userId: p.text().primary(),
    therapistId: p.text().nullable(),
    version: p.integer(),
  },
});

/** Keeps what a fact says, whatever order facts come in. */
export async function keepTherapist({ data }: Fact<'profile.changed'>, client: PoolClient): Promise<void> {
  await client.query({
    name: 'therapist-keep',
    text: `insert into therapist (user_id, therapist_id, version) values ($1, $2, $3)
           on conflict (user_id) do update set therapist_id = excluded.therapist_id, version = excluded.version
             where therapist.version < excluded.version`,
    values: [data.userId, data.therapistId ?? null, data.version],
  });
}

/** The user whose calendar it is. */
export async function userOfTherapist(database: Pool | PoolClient, therapistId: string): Promise<string> {
  const result = await database.query<{ userId: string }>({
    name: 'therapist-user',
    text: `select user_id as "userId" from therapist where therapist_id = $1 order by version desc, user_id limit 1`,
    values: [therapistId],
  });
  return result.rows[0]?.userId ?? therapistId;
}

/** The calendar that a user has when they are a therapist. */
export async function therapistIdOf(database: Pool | PoolClient, userId: string): Promise<string> {
  const result = await database.query<{ therapistId: string | null }>({
    name: 'therapist-room',
    text: `select therapist_id as "therapistId" from therapist where user_id = $1`,
    values: [userId],
  });
  return result.rows[0]?.therapistId ?? userId;
}
