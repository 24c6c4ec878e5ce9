import { deliver, type Bus } from '@rapport/bus';
import type { Config, Recipient } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { newsOf, type Change, type News } from './news.ts';

export type ContactPolicy = Config<'presence-service'>['CONTACT_POLICY'];

/** Tells those who may know, and marks what was told. */
export type Announce = (changes: readonly Change[]) => Promise<void>;

export interface AnnounceOptions {
  bus: Bus;
  pool: Pool;
  policy: ContactPolicy;
  /** Called for each event that goes out. */
  count: (event: News['event'], deliveries: number) => void;
}

/** How often a change that overtook another is told again before it is left to the sweeper. */
const MOST_REPEATS = 3;

/** Called after the commit. What a crash keeps back, the sweeper announces. */
export function createAnnounce(options: AnnounceOptions): Announce {
  const { pool } = options;
  return async changes => {
    let untold = changes;
    for (let repeat = 0; untold.length > 0 && repeat < MOST_REPEATS; repeat += 1) {
      await tell(options, pool, untold);
      untold = await markTold(pool, untold);
    }
  };
}

/** Sends the events of these changes, without marking anything. */
export async function tell(
  { bus, policy, count }: AnnounceOptions,
  database: Pool | PoolClient,
  changes: readonly Change[],
): Promise<void> {
  if (policy === 'open') {
    for (const change of changes) {
      // The room of the person's own sockets is left out like a socket: the two have names of one kind.
      for (const news of newsOf(change)) send(bus, 'all', news, `user:${change.userId}`);
      for (const { event } of newsOf(change)) count(event, 1);
    }
    return;
  }
  const interested = await interestedIn(
    database,
    changes.map(({ userId }) => userId),
  );
  for (const change of changes) {
    const contacts = interested.get(change.userId) ?? [];
    for (const news of newsOf(change)) {
      for (const user of contacts) send(bus, { user }, news);
      count(news.event, contacts.length);
    }
  }
}

export function send(bus: Bus, to: Recipient, news: News, except?: string): void {
  deliver(bus, to, news.event, news.payload, { except });
}

/** The contacts of these people who are there to be told. */
async function interestedIn(database: Pool | PoolClient, userIds: readonly string[]): Promise<Map<string, string[]>> {
  const { rows } = await database.query<{ userId: string; contacts: string[] }>({
    name: 'presence-interested',
    text: `select s.user_id as "userId", array_agg(c.user_id) as contacts
             from unnest($1::text[]) as s (user_id)
             cross join lateral (
               select therapist_user_id as user_id from care_relationship where client_user_id = s.user_id and linked
               union
               select client_user_id from care_relationship where therapist_user_id = s.user_id and linked) c
             join presence p on p.user_id = c.user_id and p.status <> 'offline'
            group by s.user_id`,
    values: [userIds],
  });
  return new Map(rows.map(({ userId, contacts }) => [userId, contacts]));
}

/** @returns the people who have changed again meanwhile: what was told may have come after news that were newer */
async function markTold(pool: Pool, changes: readonly Change[]): Promise<Change[]> {
  const { rows } = await pool.query<Omit<Change, 'from'> & { told: boolean }>({
    name: 'presence-told',
    text: `with told as (
             update presence p set untold = false from unnest($1::text[], $2::int[]) as t (user_id, version)
              where p.user_id = t.user_id and p.version = t.version
             returning p.user_id)
           select p.user_id as "userId", p.status as to, p.last_seen_at as "lastSeenAt", p.version
             from presence p join unnest($1::text[], $2::int[]) as t (user_id, version) on p.user_id = t.user_id
            where p.version > t.version and not exists (select from told where told.user_id = p.user_id)`,
    types: asDates,
    values: [changes.map(({ userId }) => userId), changes.map(({ version }) => version)],
  });
  return rows.map(row => ({ ...row, from: undefined }));
}
