import { beforeAll, expect, test } from '@jest/globals';
import type { Bus } from '@rapport/bus';
import type { Nats } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { makeOutboxPartitions } from '../src/database/outbox-partitions.ts';
import { runChild, type Child } from './child.ts';
import { factAt, insertRows } from './database-kit.ts';
import { busAs, newDatabase, poolOf, runningNats, runningPostgres, START_TIMEOUT_MS, storedFacts } from './kit.ts';
import { expectToEndWell, serviceEnvironment } from './service-process.ts';

let nats: Nats;
let developer: Bus;
let pool: Pool;
let environment: Record<string, string>;

// More than a page, and several within one millisecond.
const COUNT = 450;
const start = new Date(Date.now() - 3_600_000);
const rows = Array.from({ length: COUNT }, (_, index) => factAt(new Date(start.getTime() + Math.floor(index / 3))));

beforeAll(async () => {
  const [started, postgres] = await Promise.all([runningNats(), runningPostgres()]);
  nats = started;
  developer = await busAs(nats, 'developer');
  const database = await newDatabase(postgres);
  environment = serviceEnvironment(nats, database);
  await expectToEndWell(runChild('messaging-service/src/migrate.ts', environment));
  pool = poolOf(database);
  await makeOutboxPartitions(pool, new Date());
  await insertRows(pool, rows, true);
}, START_TIMEOUT_MS);

const replay = (...args: string[]): Child => runChild('messaging-service/src/replay.ts', environment, args);
const storedIds = async (): Promise<string[]> => (await storedFacts(developer)).map(({ id }) => id).toSorted();
const ids = (from: number): string[] =>
  rows
    .slice(from)
    .map(({ id }) => id)
    .toSorted();

test('replay publishes again what was committed since then, under its own ids, published or not', async () => {
  const since = rows[300]!.createdAt;
  const child = replay('--since', since.toISOString());
  await expectToEndWell(child);
  expect(await child.logged('replayed')).toMatchObject({ facts: 150 });
  expect(await storedIds()).toEqual(ids(300));
});

test('a second replay fills in what the stream lacks and doubles nothing', async () => {
  await expectToEndWell(replay('--since', new Date(start.getTime() - 1_000).toISOString()));
  expect(await storedIds()).toEqual(ids(0));
});

test.each([[[]], [['--since', 'yesterday']]])('replay %j says in one line what it needs', async args => {
  const child = replay(...args);
  await expect(child.ended).resolves.toBe(1);
  expect(child.errors).toEqual(['messaging-service replay: --since must be a time such as 2026-11-23T00:00:00Z']);
});
