import { flushBus } from '@rapport/bus';
import { asDates, inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { tell, type Announce, type AnnounceOptions } from './announce.ts';
import type { Attention } from './attention.ts';
import { makeStore } from './lease.ts';
import type { Change } from './news.ts';
import type { Grace } from './report-sessions.ts';
import { haveAllReported, lockIdle, lockPeople, settle } from './settle.ts';

/** People in one transaction. */
const BATCH = 500;
/** A change that the process which made it has not announced within this time is left to the sweeper. */
const UNTOLD_AFTER_MS = 5_000;

export interface SweepOptions {
  pool: Pool;
  grace: Grace;
  announce: Announce;
  announcing: AnnounceOptions;
  /** Rejects when this process could not hear a gateway at the moment; then nothing is given up. */
  look: () => Promise<Attention>;
  log: AnnounceOptions['bus']['observer']['log'];
  stopping: AbortSignal;
}

/** Does what the passing of time does: gives up lost gateways, ends graces, tells what was left untold. */
export function createSweep(options: SweepOptions): () => Promise<void> {
  const { pool, grace, announce, look, stopping } = options;
  return async () => {
    const { now, since } = await look();
    await makeStore(pool);
    await giveUpLostGateways(options, now, since);
    if (await haveAllReported(pool)) {
      await untilNone(stopping, async () => {
        const { found, changes } = await endGraces(pool, now);
        await announce(changes);
        return found;
      });
      // By then every gateway that lives has reported, or was told to.
      if (now.getTime() - since.getTime() > grace.afterLoss) await checkEverybody(options, now);
    }
    await untilNone(stopping, () => tellLeftOver(options, now));
  };
}

async function untilNone(stopping: AbortSignal, work: () => Promise<number>): Promise<void> {
  while (!stopping.aborted && (await work()) === BATCH);
}

/** A gateway that is silent, though it could have been heard, is lost: its sessions have ended when it was last seen. */
async function giveUpLostGateways({ pool, grace, log, stopping }: SweepOptions, now: Date, since: Date): Promise<void> {
  const silentSince = new Date(now.getTime() - grace.afterLoss);
  const { rows } = await pool.query<{ gateway: string }>({
    name: 'lease-silent',
    text: `select gateway from gateway_lease where lost or greatest(seen_at, $1) < $2`,
    values: [since, silentSince],
  });
  for (const { gateway } of rows) {
    await untilNone(stopping, () =>
      inTransaction(pool, client => endSessionsOf(client, gateway, { now, since, silentSince })),
    );
    if (stopping.aborted) return;
    log.warn({ gateway }, 'a gateway was silent for too long: its sessions have ended');
  }
}

async function endSessionsOf(
  client: PoolClient,
  gateway: string,
  { now, since, silentSince }: { now: Date; since: Date; silentSince: Date },
): Promise<number> {
  const { rows } = await client.query<{ seenAt: Date }>({
    name: 'lease-give-up',
    text: `update gateway_lease set lost = true
            where gateway = (select gateway from gateway_lease
                              where gateway = $1 and (lost or greatest(seen_at, $2) < $3) for update skip locked)
           returning seen_at as "seenAt"`,
    types: asDates,
    values: [gateway, since, silentSince],
  });
  const [lease] = rows;
  if (!lease) return 0;
  const users = await client.query<{ userId: string }>({
    name: 'session-users-of',
    text: `select distinct user_id as "userId" from session where gateway = $1 and ended_at is null limit $2`,
    values: [gateway, BATCH],
  });
  const userIds = users.rows.map(({ userId }) => userId);
  if (userIds.length === 0) {
    await client.query('delete from gateway_lease where gateway = $1', [gateway]);
    return 0;
  }
  await lockPeople(client, userIds);
  await client.query({
    name: 'session-end-lost',
    text: `update session set ended_at = $3, counts_until = $4
            where gateway = $1 and user_id = any($2) and ended_at is null`,
    values: [gateway, userIds, lease.seenAt, now],
  });
  return BATCH;
}

/** Who has not come back within the grace is gone. */
async function endGraces(pool: Pool, now: Date): Promise<{ found: number; changes: Change[] }> {
  return inTransaction(pool, async client => {
    // Since the batch before, a gateway may have come that has not: until it has, none of them ends.
    if (!(await haveAllReported(client))) return { found: 0, changes: [] };
    const { rows } = await client.query<{ userId: string }>({
      name: 'session-due',
      text: 'select distinct user_id as "userId" from session where counts_until <= $1 limit $2',
      values: [now, BATCH],
    });
    const people = await lockIdle(
      client,
      rows.map(({ userId }) => userId),
    );
    // Those whom another replica has are its own business; then the rest waits for the next turn.
    return { found: people.size, changes: await settle(client, people, now) };
  });
}

/** After a loss of the sessions, or of a gateway's: everybody who is shown as present is worked out again. */
async function checkEverybody({ pool, announce }: SweepOptions, now: Date): Promise<void> {
  const { rows } = await pool.query<{ wanted: number }>(
    'select checks_wanted as wanted from session_store where checks_done < checks_wanted',
  );
  const wanted = rows[0]?.wanted;
  if (wanted === undefined) return;
  let after: string | undefined = '';
  while (after !== undefined) {
    const from: string = after;
    const { last, changes } = await inTransaction(pool, async client => {
      const shown = await client.query<{ userId: string }>({
        name: 'presence-shown',
        text: `select user_id as "userId" from presence where status <> 'offline' and user_id > $1
                order by user_id limit $2`,
        values: [from, BATCH],
      });
      const userIds = shown.rows.map(({ userId }) => userId);
      const people = await lockPeople(client, userIds);
      return { last: userIds.at(-1), changes: await settle(client, people, now) };
    });
    await announce(changes);
    after = last;
  }
  await pool.query('update session_store set checks_done = greatest(checks_done, $1)', [wanted]);
}

/** Announces what the process that changed it could not. */
async function tellLeftOver({ pool, announcing }: SweepOptions, now: Date): Promise<number> {
  return inTransaction(pool, async client => {
    const { rows } = await client.query<Omit<Change, 'from'>>({
      name: 'presence-untold',
      text: `select user_id as "userId", status as to, last_seen_at as "lastSeenAt", version from presence
              where untold and changed_at < $1 order by changed_at limit $2 for update skip locked`,
      types: asDates,
      values: [new Date(now.getTime() - UNTOLD_AFTER_MS), BATCH],
    });
    if (rows.length === 0) return 0;
    await tell(
      announcing,
      client,
      rows.map(row => ({ ...row, from: undefined })),
    );
    // What is published without a connection is gone; then they all stay untold.
    await flushBus(announcing.bus);
    await client.query({
      name: 'presence-left-over-told',
      text: 'update presence set untold = false where user_id = any($1)',
      values: [rows.map(({ userId }) => userId)],
    });
    return rows.length;
  });
}
