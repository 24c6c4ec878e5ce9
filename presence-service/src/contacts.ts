import { MAX_PRESENCES, type Presence, type Status } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';

export interface PresenceRow {
  userId: string;
  status: Status;
  lastSeenAt: Date | null;
}

export const toPresence = ({ userId, status, lastSeenAt }: PresenceRow): Presence => ({
  userId,
  status,
  lastSeenAt: lastSeenAt?.toISOString() ?? null,
});

/** The contacts of each of these users who are there: whom they see, and who is told of them. */
export type ContactsThere = ReadonlyMap<string, readonly PresenceRow[]>;

export async function contactsThere(database: Pool | PoolClient, userIds: readonly string[]): Promise<ContactsThere> {
  const there = new Map<string, PresenceRow[]>();
  if (userIds.length === 0) return there;
  // The pairs first, and once: joined for each user, the planner would read all of `presence` for each.
  const { rows } = await database.query<PresenceRow & { viewer: string }>({
    name: 'contacts-there',
    text: `with pair as materialized (
             select client_user_id as viewer, therapist_user_id as contact from care_relationship
              where client_user_id = any($1) and linked
             union
             select therapist_user_id, client_user_id from care_relationship
              where therapist_user_id = any($1) and linked)
           select viewer, user_id as "userId", status, last_seen_at as "lastSeenAt"
             from pair join presence on user_id = contact and status <> 'offline'`,
    types: asDates,
    values: [userIds],
  });
  for (const row of rows) {
    const known = there.get(row.viewer);
    if (known) known.push(row);
    else there.set(row.viewer, [row]);
  }
  return there;
}

/** Some of those who are there, where everybody may see everybody; one more than a user is told of, who may be one. */
export async function anybodyThere(database: Pool | PoolClient): Promise<PresenceRow[]> {
  const { rows } = await database.query<PresenceRow>({
    name: 'anybody-there',
    text: `select user_id as "userId", status, last_seen_at as "lastSeenAt" from presence
            where status <> 'offline' limit $1`,
    types: asDates,
    values: [MAX_PRESENCES + 1],
  });
  return rows;
}
