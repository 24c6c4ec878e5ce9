import type { Bus } from '@rapport/bus';
import type { FactName } from '@rapport/contracts';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { inTransaction } from './connection.ts';
import type { Metrics } from '../metrics.ts';
import { markPublished, publishFact, type OutboxFact, type OutboxRow } from './outbox-row.ts';
import { dropOutboxPartitions, makeOutboxPartitions } from './outbox-partitions.ts';
import { createSweeper, type Redeliver } from './outbox-sweeper.ts';
import { repeat } from './repeat.ts';

export interface Outbox {
  /**
   * Called right after the commit, for each fact that was written: publishes it, and marks its row with the last of
   * them. Deliveries sent just before over the same bus have reached the server by the time the row is marked.
   */
  publish(fact: OutboxFact): void;
}

const SWEEP_EVERY_MS = 1_000;
/** Marks are collected for this long: one statement for all of them. */
const MARK_EVERY_MS = 250;
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
  let published: OutboxRow[] = [];

  const mark = async (): Promise<void> => {
    const rows = published;
    if (rows.length === 0) return;
    published = [];
    // A mark that fails or is lost is not tried again: the sweeper publishes the row once more, under the same ids. So
    // it need not be on disk before anything goes on, and nobody's message waits behind it for the disk.
    await inTransaction(pool, async client => {
      await client.query('set local synchronous_commit = off');
      await markPublished(client, rows);
    });
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
    repeat('sweep', SWEEP_EVERY_MS, createSweeper(options), log, stopping),
    repeat('outbox maintenance', MAINTENANCE_EVERY_MS, maintain, log, stopping),
  ];
  options.onStop('outbox', async () => {
    await Promise.all(loops);
    await Promise.all(underWay);
    await mark();
  });

  return {
    publish(fact) {
      const { row } = fact;
      if (!row) throw new TypeError('a fact is published that was not written');
      const work = publishFact(bus, fact).then(
        () => {
          underWay.delete(work);
          row.left -= 1;
          if (row.left === 0) published.push(row);
        },
        (error: unknown) => {
          underWay.delete(work);
          log.warn({ event: fact.id, fact: fact.fact, err: error }, 'a fact was not published, the sweeper will do it');
        },
      );
      underWay.add(work);
    },
  };
}

async function countUnpublished(pool: Pool): Promise<number> {
  const result = await pool.query<{ count: string }>(
    'select coalesce(sum(json_array_length(facts)), 0) as count from outbox where published_at is null',
  );
  return Number(result.rows[0]?.count);
}
