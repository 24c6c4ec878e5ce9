import type { ServiceRequest, UserRequest } from '@rapport/bus';
import type { Presence } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { ContactPolicy } from './announce.ts';
import { toPresence, type PresenceRow } from './contacts.ts';

/** Who of these users is there, for a user: oneself, and whom one may see. */
export function createGetPresence({ pool, policy }: { pool: Pool; policy: ContactPolicy }) {
  return async ({ actor, input }: UserRequest<'presence:get'>): Promise<{ presences: Presence[] }> =>
    presencesOf(pool, input.userIds, policy === 'open' ? undefined : actor.userId);
}

/** The same for a service: of anybody, or on behalf of a user what that user may see. */
export function createGetPresenceForService({ pool, policy }: { pool: Pool; policy: ContactPolicy }) {
  return async ({ actor, input }: ServiceRequest<'presence.get'>): Promise<{ presences: Presence[] }> =>
    presencesOf(pool, input.userIds, policy === 'open' ? undefined : actor.onBehalfOf);
}

/** Whom the viewer may not see is left out by the query itself, so that it looks like who does not exist. */
async function presencesOf(
  pool: Pool,
  userIds: readonly string[],
  viewer: string | undefined,
): Promise<{ presences: Presence[] }> {
  const { rows } = await pool.query<PresenceRow>({
    name: 'presence-get',
    text: `select p.user_id as "userId", p.status, p.last_seen_at as "lastSeenAt" from presence p
            where p.user_id = any($1)
              and ($2::text is null or p.user_id = $2 or exists (
                select from care_relationship
                 where linked and ((client_user_id = $2 and therapist_user_id = p.user_id)
                                or (client_user_id = p.user_id and therapist_user_id = $2))))`,
    types: asDates,
    values: [userIds, viewer],
  });
  const found = new Map(rows.map(row => [row.userId, toPresence(row)]));
  return {
    presences: userIds.map(userId => found.get(userId) ?? { userId, status: 'offline', lastSeenAt: null }),
  };
}
