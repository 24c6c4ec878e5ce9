import type { GatewayCall, ServiceRequest, UserRequest } from '@rapport/bus';
import { MAX_PRESENCES, type GatewayCallOutput, type Presence, type Status } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { ContactPolicy } from './announce.ts';

interface PresenceRow {
  userId: string;
  status: Status;
  lastSeenAt: Date | null;
}

const COLUMNS = 'p.user_id as "userId", p.status, p.last_seen_at as "lastSeenAt"';

const toPresence = ({ userId, status, lastSeenAt }: PresenceRow): Presence => ({
  userId,
  status,
  lastSeenAt: lastSeenAt?.toISOString() ?? null,
});

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
    text: `select ${COLUMNS} from presence p
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

/** People of one query, and presences of one reply: below 700 KB, where NATS carries 1 MB. */
const MOST_VIEWERS = 250;
const MOST_TOLD = 5_000;

/** What each of these connected users sees: the contacts who are not offline. */
export function createStatePresence({ pool, policy }: { pool: Pool; policy: ContactPolicy }) {
  return async ({ input }: GatewayCall<'presence.state'>): Promise<GatewayCallOutput<'presence.state'>> => {
    const viewers = input.userIds.slice(0, MOST_VIEWERS);
    const seen = policy === 'open' ? await seenByAll(pool, viewers) : await seenByContacts(pool, viewers);
    let told = 0;
    // Always the first, or nobody would ever get on.
    const fitting = seen.filter((state, index) => (told += state.length) <= MOST_TOLD || index === 0);
    return { states: fitting };
  };
}

async function seenByAll(pool: Pool, viewers: readonly string[]): Promise<Presence[][]> {
  const { rows } = await pool.query<PresenceRow>({
    name: 'presence-seen-by-all',
    text: `select ${COLUMNS} from presence p where p.status <> 'offline' limit $1`,
    types: asDates,
    values: [MAX_PRESENCES + 1],
  });
  const shown = rows.map(toPresence);
  return viewers.map(viewer => shown.filter(({ userId }) => userId !== viewer).slice(0, MAX_PRESENCES));
}

async function seenByContacts(pool: Pool, viewers: readonly string[]): Promise<Presence[][]> {
  const { rows } = await pool.query<PresenceRow & { viewer: number }>({
    name: 'presence-seen-by-contacts',
    text: `select v.viewer::int, p.*
             from unnest($1::text[]) with ordinality as v (user_id, viewer)
             cross join lateral (
               select ${COLUMNS}
                 from (select therapist_user_id as user_id from care_relationship
                        where client_user_id = v.user_id and linked
                       union
                       select client_user_id from care_relationship
                        where therapist_user_id = v.user_id and linked) c
                 join presence p on p.user_id = c.user_id and p.status <> 'offline'
                limit $2) p`,
    types: asDates,
    values: [viewers, MAX_PRESENCES],
  });
  const seen = viewers.map((): Presence[] => []);
  for (const row of rows) seen[row.viewer - 1]?.push(toPresence(row));
  return seen;
}
