import { pingBus, publish, type Bus } from '@rapport/bus';
import type { FactData, FactName } from '@rapport/contracts';
import type { Logger } from 'pino';
import type { Pool, PoolClient } from 'pg';
import { createBackOff, type BackOff } from './back-off.ts';
import { asDates, inTransaction } from './connection.ts';
import type { Metrics } from '../metrics.ts';
import type { OutboxRow } from './outbox-row.ts';
import { dropOutboxPartitions, makeOutboxPartitions } from './outbox-partitions.ts';
import { repeat } from './repeat.ts';

/** For each fact that the service publishes: rebuilds its deliveries from the database and sends them. */
export type Redeliver<N extends FactName> = { readonly [K in N]: (row: OutboxRow<K>) => Promise<void> };

export interface Outbox {
  /**
   * Called right after the commit: publishes the fact and marks the row. Deliveries sent just before
   * over the same bus have reached the server by the time the row is marked.
   */
  publish(row: OutboxRow): void;
}

/** A row that its own process has not published within this time is left to the sweeper. */
const SWEEP_AFTER_MS = 5_000;
const SWEEP_EVERY_MS = 1_000;
const SWEEP_BATCH = 200;
/** A row that cannot be rebuilt, because its key is not configured say, is tried less and less often. */
const FAILED_ROWS = { firstMs: 1_000, mostMs: 5 * 60_000, mostIds: 10_000 };
/** Marks are collected for this long: one statement for all of them. */
const MARK_EVERY_MS = 100;
const MAINTENANCE_EVERY_MS = 60 * 60 * 1_000;
const HOUR_MS = 60 * 60 * 1_000;

interface OutboxOptions<N extends FactName> {
  bus: Bus;
  pool: Pool;
  log: Logger;
  metrics: Metrics;
  retentionHours: number;
  redeliver: Redeliver<N>;
  stopping: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
}

/** Publishes what was committed; what a crash or a lost connection kept back follows within seconds. */
export async function startOutbox<N extends FactName>(options: OutboxOptions<N>): Promise<Outbox> {
  const { bus, pool, log, metrics, stopping } = options;
  const underWay = new Set<Promise<void>>();
  const failed = createBackOff(FAILED_ROWS);
  let published: OutboxRow[] = [];

  const mark = async (): Promise<void> => {
    const rows = published;
    if (rows.length === 0) return;
    published = [];
    // A mark that fails is not tried again: the sweeper publishes the row once more, under the same id.
    await markPublished(pool, rows);
  };

  const publishOne = async (row: OutboxRow): Promise<void> => {
    try {
      await publish(bus, row.fact, { id: row.id, time: row.createdAt, data: row.data });
      published.push(row);
    } catch (error) {
      log.warn({ event: row.id, fact: row.fact, err: error }, 'a fact was not published, the sweeper will do it');
    }
  };

  const maintain = async (): Promise<void> => {
    const now = Date.now();
    await makeOutboxPartitions(pool, new Date(now));
    const dropped = await dropOutboxPartitions(pool, new Date(now - options.retentionHours * HOUR_MS));
    if (dropped.length > 0) log.info({ partitions: dropped }, 'outbox partitions past their retention were dropped');
  };

  // What cannot be dropped, because a backup reads it, must not keep a replica from starting.
  await makeOutboxPartitions(pool, new Date());
  metrics.gauge('rapport_outbox_depth', 'Committed facts that are not published yet.', () => countUnpublished(pool));
  const loops = [
    repeat('mark', MARK_EVERY_MS, mark, log, stopping),
    repeat('sweep', SWEEP_EVERY_MS, () => sweep(options, failed), log, stopping),
    repeat('outbox maintenance', MAINTENANCE_EVERY_MS, maintain, log, stopping),
  ];
  options.onStop('outbox', async () => {
    await Promise.all(loops);
    await Promise.all(underWay);
    await mark();
  });

  return {
    publish(row) {
      const work = publishOne(row).finally(() => underWay.delete(work));
      underWay.add(work);
    },
  };
}

async function markPublished(pool: Pool | PoolClient, rows: readonly OutboxRow[]): Promise<void> {
  const sorted = rows.toSorted((one, other) => one.createdAt.getTime() - other.createdAt.getTime());
  const times = sorted.map(row => row.createdAt);
  await pool.query({
    name: 'outbox-mark',
    text: `update outbox o set published_at = now()
             from unnest($1::timestamptz[], $2::uuid[]) as k (created_at, id)
            where o.created_at = k.created_at and o.id = k.id and o.created_at between $3 and $4`,
    // The range says which partitions, and which part of the index, they are in.
    values: [times, sorted.map(row => row.id), times[0], times.at(-1)],
  });
}

async function countUnpublished(pool: Pool): Promise<number> {
  const result = await pool.query<{ count: string }>('select count(*) from outbox where published_at is null');
  return Number(result.rows[0]?.count);
}

/** Where a walk over the outbox has got to: the primary key, oldest first. */
type Position = Pick<OutboxRow, 'createdAt' | 'id'>;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Batch by batch to the newest row: those that cannot be swept must not hold up what comes after them. */
async function sweep<N extends FactName>(options: OutboxOptions<N>, failed: BackOff): Promise<void> {
  let after: Position | undefined = { createdAt: new Date(0), id: NIL_UUID };
  while (after && !options.stopping.aborted) after = await sweepBatch(options, failed, after);
}

/**
 * Claimed rows stay locked until they are published and marked, so two replicas never sweep the same one.
 * Resolves to where to go on, or to `undefined` when there is nothing left or NATS is not there.
 */
async function sweepBatch<N extends FactName>(
  { bus, pool, log, redeliver }: OutboxOptions<N>,
  failed: BackOff,
  after: Position,
): Promise<Position | undefined> {
  return inTransaction(pool, async client => {
    const claimed = await client.query<SweptRow<N>>({
      text: `select id, created_at, fact, data, except_socket from outbox
              where published_at is null and created_at < now() - $1 * interval '1 millisecond'
                and (created_at, id) > ($3, $4) and id <> all($5::uuid[])
              order by created_at, id limit $2 for update skip locked`,
      types: asDates,
      values: [SWEEP_AFTER_MS, SWEEP_BATCH, after.createdAt, after.id, failed.resting(Date.now())],
    });
    const rows = claimed.rows.map(toOutboxRow);
    const done: OutboxRow[] = [];
    const failures: { event: string; fact: FactName; err: unknown }[] = [];
    let reachable = true;
    for (const row of rows) {
      try {
        await redeliver[row.fact](row);
        await publish(bus, row.fact, { id: row.id, time: row.createdAt, data: row.data });
        done.push(row);
        failed.succeeded(row.id);
      } catch (error) {
        failures.push({ event: row.id, fact: row.fact, err: error });
        // Without NATS none of the others gets out, and each would wait its time-out.
        reachable = await isReachable(bus);
        if (!reachable) break;
        failed.failed(row.id, Date.now());
      }
    }
    if (done.length > 0) {
      await markPublished(client, done);
      log.info({ facts: done.length }, 'the sweeper published what had been left over');
    }
    if (failures[0]) {
      // One line for all of them: they may be many.
      log.warn({ ...failures[0], facts: failures.length }, 'facts could not be swept, they will be tried again');
    }
    return reachable && rows.length === SWEEP_BATCH ? rows.at(-1) : undefined;
  });
}

function isReachable(bus: Bus): Promise<boolean> {
  return pingBus(bus).then(
    () => true,
    () => false,
  );
}

interface SweptRow<N extends FactName> {
  id: string;
  created_at: Date;
  fact: N;
  data: FactData<N>;
  except_socket: string | null;
}

function toOutboxRow<N extends FactName>(row: SweptRow<N>): OutboxRow<N> {
  return {
    id: row.id,
    createdAt: row.created_at,
    fact: row.fact,
    data: row.data,
    exceptSocket: row.except_socket ?? undefined,
  };
}

/**
 * Publishes again every fact committed since `since`, oldest first, under its old id: consumers that
 * know it ignore it, a stream that lost it has it again. Resolves to how many there were.
 */
export async function replay(bus: Bus, pool: Pool, since: Date): Promise<number> {
  let count = 0;
  let after: Position = { createdAt: since, id: NIL_UUID };
  for (;;) {
    const page = await pool.query<SweptRow<FactName>>({
      text: `select id, created_at, fact, data, except_socket from outbox
              where (created_at, id) > ($1, $2) order by created_at, id limit $3`,
      types: asDates,
      values: [after.createdAt, after.id, SWEEP_BATCH],
    });
    const rows = page.rows.map(toOutboxRow);
    const last = rows.at(-1);
    if (!last) return count;
    await Promise.all(rows.map(row => publish(bus, row.fact, { id: row.id, time: row.createdAt, data: row.data })));
    count += rows.length;
    after = last;
  }
}
