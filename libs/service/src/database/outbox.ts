import { pingBus, publish, type Bus } from '@rapport/bus';
import type { FactName } from '@rapport/contracts';
import type { Logger } from 'pino';
import type { Pool, PoolClient } from 'pg';
import { createBackOff, type BackOff } from './back-off.ts';
import { asDates, inTransaction } from './connection.ts';
import type { Metrics } from '../metrics.ts';
import { fromStored, storedText, type OutboxFact, type OutboxRow, type StoredFact } from './outbox-row.ts';
import { newId } from '../new-id.ts';
import { dropOutboxPartitions, makeOutboxPartitions } from './outbox-partitions.ts';
import { repeat } from './repeat.ts';

/** For each fact that the service publishes: rebuilds its deliveries from the database and sends them. */
export type Redeliver<N extends FactName> = { readonly [K in N]: (fact: OutboxFact<K>) => Promise<void> };

export interface Outbox {
  /**
   * Called right after the commit, for each fact that was written: publishes it, and marks its row with the last of
   * them. Deliveries sent just before over the same bus have reached the server by the time the row is marked.
   */
  publish(fact: OutboxFact): void;
}

/** A row that its own process has not published within this time is left to the sweeper. */
const SWEEP_AFTER_MS = 5_000;
const SWEEP_EVERY_MS = 1_000;
/** Rows claimed at once, each with the facts of a transaction: they are locked until all of them are published. */
const SWEEP_BATCH = 50;
/** A row that cannot be rebuilt, because its key is not configured say, is tried less and less often. */
const FAILED_ROWS = { firstMs: 1_000, mostMs: 5 * 60_000, mostIds: 10_000 };
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
  const failed = createBackOff(FAILED_ROWS);
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
    repeat('sweep', SWEEP_EVERY_MS, () => sweep(options, failed), log, stopping),
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

function publishFact(bus: Bus, { id, createdAt, fact, data }: OutboxFact): Promise<void> {
  return publish(bus, fact, { id, time: createdAt, data });
}

async function markPublished(client: PoolClient, rows: readonly Position[]): Promise<void> {
  const sorted = rows.toSorted((one, other) => one.createdAt.getTime() - other.createdAt.getTime());
  const times = sorted.map(row => row.createdAt);
  await client.query({
    name: 'outbox-mark',
    text: `update outbox o set published_at = now()
             from unnest($1::timestamptz[], $2::uuid[]) as k (created_at, id)
            where o.created_at = k.created_at and o.id = k.id and o.created_at between $3 and $4`,
    // The range says which partitions, and which part of the index, they are in.
    values: [times, sorted.map(row => row.id), times[0], times.at(-1)],
  });
}

async function countUnpublished(pool: Pool): Promise<number> {
  const result = await pool.query<{ count: string }>(
    'select coalesce(sum(json_array_length(facts)), 0) as count from outbox where published_at is null',
  );
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
  options: OutboxOptions<N>,
  failed: BackOff,
  after: Position,
): Promise<Position | undefined> {
  const { pool, log } = options;
  return inTransaction(pool, async client => {
    const rows = await claim<N>(client, failed, after);
    const swept: Swept<N>[] = [];
    let reachable = true;
    for (const row of rows) {
      const result = await sweepRow(options, row);
      swept.push(result);
      ({ reachable } = result);
      if (!reachable) break;
      if (result.left.length > 0) failed.failed(row.id, Date.now());
      else failed.succeeded(row.id);
    }
    await keepApart(client, swept);
    report(log, swept);
    return reachable && rows.length === SWEEP_BATCH ? rows.at(-1) : undefined;
  });
}

/** One line for all of them: they may be many. */
function report<N extends FactName>(log: Logger, swept: readonly Swept<N>[]): void {
  const facts = swept.reduce((sum, { done }) => sum + done.length, 0);
  if (facts > 0) log.info({ facts }, 'the sweeper published what had been left over');
  const failures = swept.flatMap(({ failure }) => failure ?? []);
  if (failures[0]) {
    const left = swept.reduce((sum, each) => sum + each.left.length, 0);
    log.warn({ ...failures[0], facts: left }, 'facts could not be swept, they will be tried again');
  }
}

async function claim<N extends FactName>(client: PoolClient, failed: BackOff, after: Position): Promise<ReadRow<N>[]> {
  const { rows } = await client.query<ReadRow<N>>({
    text: `select id, created_at as "createdAt", facts from outbox
            where published_at is null and created_at < now() - $1 * interval '1 millisecond'
              and (created_at, id) > ($3, $4) and id <> all($5::uuid[])
            order by created_at, id limit $2 for update skip locked`,
    types: asDates,
    values: [SWEEP_AFTER_MS, SWEEP_BATCH, after.createdAt, after.id, failed.resting(Date.now())],
  });
  return rows;
}

/** A row of which as much as possible was published. */
interface Swept<N extends FactName> {
  readonly row: ReadRow<N>;
  readonly done: readonly OutboxFact<N>[];
  readonly left: readonly OutboxFact<N>[];
  /** The first of those that are left, and why. */
  readonly failure: { readonly event: string; readonly fact: FactName; readonly err: unknown } | undefined;
  readonly reachable: boolean;
}

async function sweepRow<N extends FactName>({ bus, redeliver }: OutboxOptions<N>, row: ReadRow<N>): Promise<Swept<N>> {
  const facts = fromStored(row.facts);
  const done: OutboxFact<N>[] = [];
  const left: OutboxFact<N>[] = [];
  let failure: Swept<N>['failure'];
  for (const [index, fact] of facts.entries()) {
    try {
      await redeliver[fact.fact](fact);
      await publishFact(bus, fact);
      done.push(fact);
    } catch (error) {
      failure ??= { event: fact.id, fact: fact.fact, err: error };
      // Without NATS none of the others gets out, and each would wait its time-out.
      if (!(await isReachable(bus))) {
        return { row, done, left: [...left, ...facts.slice(index)], failure, reachable: false };
      }
      left.push(fact);
    }
  }
  return { row, done, left, failure, reachable: true };
}

/** Marks what was published. Of a row of which something is left, the others get one of their own: they do not go again. */
async function keepApart<N extends FactName>(client: PoolClient, swept: readonly Swept<N>[]): Promise<void> {
  const published: Position[] = [];
  for (const { row, done, left } of swept) {
    const { createdAt } = row;
    if (left.length === 0) published.push(row);
    if (left.length === 0 || done.length === 0) continue;
    const id = newId();
    published.push({ id, createdAt });
    await client.query('insert into outbox (id, created_at, facts) values ($1, $2, $3)', [
      id,
      createdAt,
      storedText(done),
    ]);
    await client.query('update outbox set facts = $3 where created_at = $1 and id = $2', [
      createdAt,
      row.id,
      storedText(left),
    ]);
  }
  if (published.length > 0) await markPublished(client, published);
}

function isReachable(bus: Bus): Promise<boolean> {
  return pingBus(bus).then(
    () => true,
    () => false,
  );
}

/** A row as it is read. */
interface ReadRow<N extends FactName> extends Position {
  readonly facts: readonly StoredFact<N>[];
}

/**
 * Publishes again every fact committed since `since`, oldest first, under its old id: consumers that
 * know it ignore it, a stream that lost it has it again. Resolves to how many there were.
 */
export async function replay(bus: Bus, pool: Pool, since: Date): Promise<number> {
  let count = 0;
  let after: Position = { createdAt: since, id: NIL_UUID };
  for (;;) {
    const { rows } = await pool.query<ReadRow<FactName>>({
      text: `select id, created_at as "createdAt", facts from outbox
              where (created_at, id) > ($1, $2) order by created_at, id limit $3`,
      types: asDates,
      values: [after.createdAt, after.id, SWEEP_BATCH],
    });
    const last = rows.at(-1);
    if (!last) return count;
    const facts = rows.flatMap(row => fromStored(row.facts));
    await Promise.all(facts.map(fact => publishFact(bus, fact)));
    count += facts.length;
    after = last;
  }
}
