import type { Pool, PoolClient } from 'pg';
import { inTransaction } from './connection.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** How many days ahead there is a partition: as long as the maintenance may fail before an insert does. */
const DAYS_AHEAD = 7;
/** Held while partitions are made or dropped, so that replicas take turns. */
const PARTITION_LOCK = 7_271_002;
/** Dropping waits for whoever reads the table, and everybody who comes later waits for the drop: not for long. */
const DROP_LOCK_TIMEOUT = '2s';

/** Yesterday too: around midnight the clock of another process may still be there. */
const DAYS_BACK = 1;

/** Makes the partitions around today that are missing. */
export async function makeOutboxPartitions(pool: Pool, now: Date): Promise<void> {
  await inTransaction(pool, async client => {
    await client.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
    const known = new Set(await partitions(client));
    for (let ahead = -DAYS_BACK; ahead <= DAYS_AHEAD; ahead++) {
      const from = startOfDay(new Date(now.getTime() + ahead * DAY_MS));
      const name = partitionName(from);
      if (known.has(name)) continue;
      const to = new Date(from.getTime() + DAY_MS);
      // Attaching takes a weaker lock than `partition of`: inserts go on meanwhile.
      await client.query(`create table ${name} (like outbox including all)`);
      await client.query(
        `alter table outbox attach partition ${name}
           for values from ('${from.toISOString()}') to ('${to.toISOString()}')`,
      );
    }
  });
}

/** Drops the partitions of which every row is older than `before` and published. Returns their names. */
export async function dropOutboxPartitions(pool: Pool, before: Date): Promise<string[]> {
  return inTransaction(pool, async client => {
    await client.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
    await client.query(`set local lock_timeout = '${DROP_LOCK_TIMEOUT}'`);
    const dropped: string[] = [];
    for (const name of await partitions(client)) {
      if (endOfPartition(name) > before) continue;
      const left = await client.query(`select 1 from ${name} where published_at is null limit 1`);
      if (left.rowCount !== 0) continue;
      await client.query(`drop table ${name}`);
      dropped.push(name);
    }
    return dropped;
  });
}

async function partitions(client: PoolClient): Promise<string[]> {
  const result = await client.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outbox'::regclass order by 1`,
  );
  return result.rows.map(row => row.name);
}

function startOfDay(time: Date): Date {
  return new Date(Math.floor(time.getTime() / DAY_MS) * DAY_MS);
}

/** `outbox_20261123` */
function partitionName(day: Date): string {
  return `outbox_${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
}

function endOfPartition(name: string): Date {
  const [, year, month, day] = /^outbox_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)) + DAY_MS);
}
