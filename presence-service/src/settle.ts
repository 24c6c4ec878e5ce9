import type { Status } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import type { Change } from './news.ts';
import { lastSeen, statusOf, type Device } from './status.ts';

/** What is shown of a person, whose row this transaction has locked. */
interface Shown {
  readonly userId: string;
  readonly status: Status;
  readonly dnd: boolean;
  readonly version: number;
  readonly lastSeenAt: Date | null;
}

export type Locked = ReadonlyMap<string, Shown>;

const COLUMNS = `user_id as "userId", status, dnd, version, last_seen_at as "lastSeenAt"`;

/**
 * Locks what is shown of these people, and makes a row for who has none. Everything that changes their sessions or
 * their status does this first, in the order of the ids, so that two transactions wait for each other and never
 * both announce.
 */
export async function lockPeople(client: PoolClient, userIds: readonly string[]): Promise<Locked> {
  const wanted = [...new Set(userIds)].toSorted();
  // Before anything is locked: whoever waits here for another's new row must hold none that the other waits for.
  const making = client.query({
    name: 'presence-make',
    text: 'insert into presence (user_id) select unnest($1::text[]) on conflict do nothing',
    values: [wanted],
  });
  const [locked] = await Promise.all([lockKnown(client, wanted), making]);
  return locked;
}

async function lockKnown(client: PoolClient, userIds: readonly string[]): Promise<Locked> {
  const { rows } = await client.query<Shown>({
    name: 'presence-lock',
    text: `select ${COLUMNS} from presence where user_id = any($1) order by user_id for update`,
    types: asDates,
    values: [userIds],
  });
  return new Map(rows.map(row => [row.userId, row]));
}

/** Locks those of these people whom nobody else is about to settle. */
export async function lockIdle(client: PoolClient, userIds: readonly string[]): Promise<Locked> {
  const { rows } = await client.query<Shown>({
    name: 'presence-lock-idle',
    text: `select ${COLUMNS} from presence where user_id = any($1) order by user_id for update skip locked`,
    types: asDates,
    values: [userIds],
  });
  return new Map(rows.map(row => [row.userId, row]));
}

/** Whether every gateway that lives has reported its sessions to this store. */
export async function haveAllReported(client: Pick<PoolClient, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ waiting: boolean }>({
    name: 'lease-waiting',
    text: `select exists (select from gateway_lease
                           where not lost and (not complete or store is distinct from (select id from session_store)))
                  as waiting`,
  });
  return rows[0]?.waiting !== true;
}

/**
 * Works out from their sessions what these people are shown as from now on, and writes what is different.
 * @param dnd what the people among them want who said so
 * @returns what has to be announced after the commit
 */
export async function settle(
  client: PoolClient,
  people: Locked,
  now: Date,
  dnd: ReadonlyMap<string, boolean> = new Map(),
): Promise<Change[]> {
  const userIds = [...people.keys()];
  if (userIds.length === 0) return [];
  const [allReported, devices] = await Promise.all([haveAllReported(client), devicesOf(client, userIds)]);
  const settled = [...people.values()].map(person => {
    const wishes = { dnd: dnd.get(person.userId) ?? person.dnd, devices: devices.get(person.userId) ?? [] };
    const to = statusOf({ ...wishes, shown: person.status, allReported }, now.getTime());
    const isGone = to === 'offline' && person.status !== 'offline';
    const lastSeenAt = isGone ? new Date(lastSeen(wishes.devices) ?? now.getTime()) : person.lastSeenAt;
    return { person, to, dnd: wishes.dnd, lastSeenAt };
  });
  // One that does not count any more has told when its person was last seen.
  const isOver = ({ countsUntil }: Device): boolean => countsUntil !== undefined && countsUntil <= now.getTime();
  const over = allReported ? userIds.filter(userId => devices.get(userId)?.some(isOver)) : [];
  if (over.length > 0) await forgetEnded(client, over, now);
  const written = settled.filter(({ person, to, dnd: wish }) => to !== person.status || wish !== person.dnd);
  if (written.length > 0) {
    await client.query({
      name: 'presence-write',
      text: `update presence p
                set status = n.status, dnd = n.dnd, last_seen_at = n.last_seen_at, version = p.version + 1,
                    changed_at = $5, untold = p.untold or p.status <> n.status
               from unnest($1::text[], $2::text[], $3::boolean[], $4::timestamptz[]) as n (user_id, status, dnd, last_seen_at)
              where p.user_id = n.user_id`,
      values: [
        written.map(({ person }) => person.userId),
        written.map(({ to }) => to),
        written.map(one => one.dnd),
        written.map(({ lastSeenAt }) => lastSeenAt),
        now,
      ],
    });
  }
  return written
    .filter(({ person, to }) => to !== person.status)
    .map(({ person, to, lastSeenAt }) => ({
      userId: person.userId,
      from: person.status,
      to,
      lastSeenAt,
      version: person.version + 1,
    }));
}

interface DeviceRow {
  userId: string;
  away: boolean;
  endedAt: Date | null;
  countsUntil: Date | null;
}

async function devicesOf(client: PoolClient, userIds: readonly string[]): Promise<Map<string, Device[]>> {
  const { rows } = await client.query<DeviceRow>({
    name: 'session-devices',
    text: `select user_id as "userId", away, ended_at as "endedAt", counts_until as "countsUntil"
             from session where user_id = any($1)`,
    types: asDates,
    values: [userIds],
  });
  const devices = new Map<string, Device[]>();
  for (const { userId, away, endedAt, countsUntil } of rows) {
    const device = { away, endedAt: endedAt?.getTime(), countsUntil: countsUntil?.getTime() };
    const known = devices.get(userId);
    if (known) known.push(device);
    else devices.set(userId, [device]);
  }
  return devices;
}

async function forgetEnded(client: PoolClient, userIds: readonly string[], now: Date): Promise<void> {
  await client.query({
    name: 'session-forget',
    text: 'delete from session where user_id = any($1) and counts_until <= $2',
    values: [userIds, now],
  });
}
