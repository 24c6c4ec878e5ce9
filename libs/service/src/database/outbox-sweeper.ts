import { pingBus, type Bus } from '@rapport/bus';
import type { FactName } from '@rapport/contracts';
import type { Logger } from 'pino';
import type { Pool, PoolClient } from 'pg';
import { newId } from '../new-id.ts';
import { createBackOff, type BackOff } from './back-off.ts';
import { asDates, inTransaction } from './connection.ts';
import {
  fromStored,
  markPublished,
  NIL_UUID,
  publishFact,
  storedText,
  type OutboxFact,
  type Position,
  type ReadRow,
} from './outbox-row.ts';

/** For each fact that the service publishes: rebuilds its deliveries from the database and sends them. */
export type Redeliver<N extends FactName> = { readonly [K in N]: (fact: OutboxFact<K>) => Promise<void> };

interface SweepOptions<N extends FactName> {
  bus: Bus;
  pool: Pool;
  log: Logger;
  redeliver: Redeliver<N>;
  stopping: AbortSignal;
}

/** A row that its own process has not published within this time is left to the sweeper. */
const SWEEP_AFTER_MS = 5_000;
/** Rows claimed at once, each with the facts of a transaction: they are locked until all of them are published. */
const SWEEP_BATCH = 50;
/** A row that cannot be rebuilt, because its key is not configured say, is tried less and less often. */
const FAILED_ROWS = { firstMs: 1_000, mostMs: 5 * 60_000, mostIds: 10_000 };

/**
 * What publishes all that has been left over, whenever it is called: batch by batch to the newest row, as those that
 * cannot be swept must not hold up what comes after them.
 */
export function createSweeper<N extends FactName>(options: SweepOptions<N>): () => Promise<void> {
  const failed = createBackOff(FAILED_ROWS);
  return async () => {
    let after: Position | undefined = { createdAt: new Date(0), id: NIL_UUID };
    while (after && !options.stopping.aborted) after = await sweepBatch(options, failed, after);
  };
}

/**
 * Claimed rows stay locked until they are published and marked, so two replicas never sweep the same one.
 * Resolves to where to go on, or to `undefined` when there is nothing left or NATS is not there.
 */
async function sweepBatch<N extends FactName>(
  options: SweepOptions<N>,
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

async function sweepRow<N extends FactName>({ bus, redeliver }: SweepOptions<N>, row: ReadRow<N>): Promise<Swept<N>> {
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
