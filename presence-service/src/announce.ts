import { deliver, flushBus, type Bus } from '@rapport/bus';
import type { Config, Recipient } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { contactsThere, type ContactsThere } from './contacts.ts';
import { newsOf, type Change, type News } from './news.ts';

export type ContactPolicy = Config<'presence-service'>['CONTACT_POLICY'];

/**
 * Tells those who may know, and marks what was told.
 * @param there the contacts who are there, when that was asked for after the commit already
 */
export type Announce = (changes: readonly Change[], there?: ContactsThere) => Promise<void>;

export interface AnnounceOptions {
  bus: Bus;
  pool: Pool;
  policy: ContactPolicy;
  /** Called for each event that goes out. */
  count: (event: News['event'], deliveries: number) => void;
}

/** How often a change that overtook another is told again before it is left to the sweeper. */
export const MOST_REPEATS = 3;

/** Called after the commit. What a crash, or a loss of NATS, keeps back, the sweeper announces. */
export function createAnnounce(options: AnnounceOptions): Announce {
  const { bus, pool } = options;
  return async (changes, there) => {
    let untold = changes;
    for (let repeat = 0; untold.length > 0 && repeat < MOST_REPEATS; repeat += 1) {
      await tell(options, pool, untold, repeat === 0 ? there : undefined);
      const isOut = await flushBus(bus).then(
        () => true,
        () => false,
      );
      if (!isOut) return;
      untold = await markTold(pool, untold);
    }
  };
}

/** Sends the events of these changes, without marking anything. */
export async function tell(
  { bus, policy, count }: AnnounceOptions,
  database: Pool | PoolClient,
  changes: readonly Change[],
  known?: ContactsThere,
): Promise<void> {
  if (policy === 'open') {
    for (const change of changes) {
      for (const news of newsOf(change)) {
        // The room of the person's own sockets is left out like a socket: the two have names of one kind.
        send(bus, 'all', news, `user:${change.userId}`);
        count(news.event, 1);
      }
    }
    return;
  }
  const userIds = changes.map(({ userId }) => userId);
  const there = known ?? (await contactsThere(database, userIds));
  for (const change of changes) {
    const contacts = there.get(change.userId) ?? [];
    for (const news of newsOf(change)) {
      for (const { userId } of contacts) send(bus, { user: userId }, news);
      count(news.event, contacts.length);
    }
  }
}

export function send(bus: Bus, to: Recipient, news: News, except?: string): void {
  deliver(bus, to, news.event, news.payload, { except });
}

/** @returns the people who have changed again meanwhile: what was told may have come after news that were newer */
async function markTold(pool: Pool, changes: readonly Change[]): Promise<Change[]> {
  const { rows } = await pool.query<Omit<Change, 'from'>>({
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
