import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Bus } from '@rapport/bus';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { makeOutboxPartitions } from '../src/database/outbox-partitions.ts';
import type { OutboxFact } from '../src/database/outbox-row.ts';
import { bareService, factAt, insertRow, insertRows, migratedDatabase, unpublished } from './database-kit.ts';
import {
  atEnd,
  busAs,
  newDatabase,
  poolOf,
  recordedLog,
  runningNats,
  runningPostgres,
  START_TIMEOUT_MS,
  storedFacts,
  until,
} from './kit.ts';
import { migrate } from '../src/database/connection.ts';
import { runningOutbox } from './outbox-kit.ts';

// Rows are given an age at which the sweeper takes them at once.
const MINUTE_MS = 60_000;
const aged = (count: number, minutes = 1): OutboxFact<'message.sent'>[] =>
  Array.from({ length: count }, (_, index) => factAt(new Date(Date.now() - minutes * MINUTE_MS + index)));

let postgres: Postgres;
let service: Bus;
let developer: Bus;
let pool: Pool;

beforeAll(async () => {
  const nats = await runningNats();
  postgres = await runningPostgres();
  service = await busAs(nats, 'messaging-service');
  developer = await busAs(nats, 'developer');
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool } = await migratedDatabase(postgres));
  await makeOutboxPartitions(pool, new Date());
});

const factIds = async (): Promise<string[]> => (await storedFacts(developer)).map(({ id }) => id);

test('a row that is published right after the commit is in the stream, is marked, and is not delivered again', async () => {
  const swept: string[] = [];
  const row = factAt(new Date());
  await insertRows(pool, [row]);
  const outbox = await runningOutbox(service, pool, ({ id }) => Promise.resolve(void swept.push(id)));
  outbox.publish(row);
  await until(async () => (await unpublished(pool)).length === 0);
  expect(await storedFacts(developer)).toContainEqual({ id: row.id, data: row.data });
  expect(swept).toEqual([]);
});

test('a row that a crash left behind is delivered, published under its id, and marked', async () => {
  const row = factAt(new Date(Date.now() - MINUTE_MS), 'socket-1');
  await insertRows(pool, [row]);
  const swept: OutboxFact[] = [];
  await runningOutbox(service, pool, left => Promise.resolve(void swept.push(left)));
  await until(async () => (await unpublished(pool)).length === 0);
  const { row: _row, ...written } = row;
  expect(swept).toEqual([written]);
  expect((await storedFacts(developer)).filter(({ id }) => id === row.id)).toEqual([{ id: row.id, data: row.data }]);
});

test('a row that is younger than its own process needs is left alone', async () => {
  const [young, old] = [factAt(new Date(Date.now() + MINUTE_MS)), factAt(new Date(Date.now() - MINUTE_MS))];
  await insertRows(pool, [young]);
  const swept: string[] = [];
  await runningOutbox(service, pool, ({ id }) => Promise.resolve(void swept.push(id)));
  await insertRows(pool, [old]);
  await until(async () => !(await unpublished(pool)).includes(old.id));
  expect(swept).toEqual([old.id]);
  expect(await unpublished(pool)).toEqual([young.id]);
});

test('what is under way when the process stops is published and marked before the stop ends', async () => {
  const rows = aged(50, 0);
  await insertRows(pool, rows);
  const outbox = await runningOutbox(service, pool);
  for (const row of rows) outbox.publish(row);
  await outbox.stop();
  expect(await unpublished(pool)).toEqual([]);
  expect(await factIds()).toEqual(expect.arrayContaining(rows.map(({ id }) => id)));
});

test('a row whose delivery cannot be rebuilt is logged, stays, and holds up no other', async () => {
  const rows = aged(3);
  const poison = rows[0]!;
  await insertRows(pool, rows);
  const { lines } = await runningOutbox(service, pool, ({ id }) =>
    id === poison.id ? Promise.reject(new Error('the key is not configured')) : Promise.resolve(),
  );
  await until(async () => (await unpublished(pool)).length === 1);
  expect(await unpublished(pool)).toEqual([poison.id]);
  expect(await factIds()).toEqual(expect.arrayContaining(rows.slice(1).map(({ id }) => id)));
  expect(lines.join('')).toContain(poison.id);
});

test('facts that were written together are one row, which is marked with the last of them', async () => {
  const facts = aged(3, 0);
  await insertRow(pool, facts);
  expect((await pool.query('select from outbox')).rowCount).toBe(1);
  const outbox = await runningOutbox(service, pool);
  for (const fact of facts.slice(0, 2)) outbox.publish(fact);
  const [other] = await leave(aged(1, 0));
  outbox.publish(other!);
  await until(async () => !(await unpublished(pool)).includes(other!.id));
  expect(await unpublished(pool)).toEqual(facts.map(({ id }) => id));
  outbox.publish(facts[2]!);
  await until(async () => (await unpublished(pool)).length === 0);
  expect(await factIds()).toEqual(expect.arrayContaining(facts.map(({ id }) => id)));
});

test('of facts that were written together those that go are swept once, in their order, whatever keeps the others', async () => {
  const facts = aged(4);
  const poison = facts[1]!;
  await insertRow(pool, facts);
  const swept: string[] = [];
  let tries = 0;
  await runningOutbox(service, pool, ({ id }) => {
    if (id !== poison.id) return Promise.resolve(void swept.push(id));
    tries += 1;
    return Promise.reject(new Error('the key is not configured'));
  });
  await until(() => tries >= 2);
  const others = facts.filter(fact => fact !== poison).map(({ id }) => id);
  expect(swept).toEqual(others);
  expect(await unpublished(pool)).toEqual([poison.id]);
  expect(await factIds()).toEqual(expect.arrayContaining(others));
  const { rows } = await pool.query('select json_array_length(facts) as count from outbox order by 1');
  expect(rows).toEqual([{ count: 1 }, { count: 3 }]);
});

test('a fact that was written by nobody is not published', async () => {
  const outbox = await runningOutbox(service, pool);
  expect(() => outbox.publish(factAt(new Date()))).toThrow(TypeError);
});

test('a row that cannot be rebuilt is tried less and less often', async () => {
  const [poison] = await leave(aged(1));
  const swept: string[] = [];
  await runningOutbox(service, pool, ({ id }) => {
    swept.push(id);
    return id === poison!.id ? Promise.reject(new Error('the key is not configured')) : Promise.resolve();
  });
  // Each needs a sweep of its own: at every one of them the poison could have been tried.
  const sweeps = 6;
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    const [row] = await leave(aged(1));
    await until(() => swept.includes(row!.id));
  }
  const tries = swept.filter(id => id === poison!.id).length;
  expect(tries).toBeGreaterThanOrEqual(2);
  expect(tries).toBeLessThanOrEqual(sweeps / 2 + 1);
});

test('more rows than a batch that cannot be rebuilt hold up no other either', async () => {
  const poison = new Set((await leave(aged(250, 2))).map(({ id }) => id));
  const [good] = await leave(aged(1));
  await runningOutbox(service, pool, ({ id }) =>
    poison.has(id) ? Promise.reject(new Error('the key is not configured')) : Promise.resolve(),
  );
  await until(async () => !(await unpublished(pool)).includes(good!.id));
  expect(await unpublished(pool)).toHaveLength(250);
});

test('two replicas never sweep the same row at the same time', async () => {
  const gate = Promise.withResolvers<void>();
  const swept: string[] = [];
  const firstBatch = await leave(aged(20, 3));
  const redeliver = async ({ id }: OutboxFact): Promise<void> => {
    swept.push(id);
    if (id === firstBatch[0]!.id) await gate.promise;
  };
  await Promise.all([runningOutbox(service, pool, redeliver), runningOutbox(service, pool, redeliver)]);
  // Before the outboxes are stopped, whatever comes of the test.
  atEnd(gate.resolve);
  await until(() => swept.length === 1);
  // One replica now holds the batch. A row that is swept after this can only have been swept by the other,
  // which takes the oldest rows first: it has passed over all that are held.
  const [barrier] = await leave(aged(1, 1));
  await until(async () => !(await unpublished(pool)).includes(barrier!.id));
  expect(swept).toEqual([firstBatch[0]!.id, barrier!.id]);
  gate.resolve();
  await until(async () => (await unpublished(pool)).length === 0);
  expect(swept.toSorted()).toEqual([...firstBatch, barrier!].map(({ id }) => id).toSorted());
});

async function leave<Row extends OutboxFact>(rows: Row[]): Promise<Row[]> {
  await insertRows(pool, rows);
  return rows;
}

test('a backup that reads what is past its retention keeps no replica from starting', async () => {
  await makeOutboxPartitions(pool, new Date(Date.now() - 30 * 24 * 60 * MINUTE_MS));
  const backup = await pool.connect();
  try {
    await backup.query('begin');
    await backup.query('lock table outbox in access share mode');
    const row = factAt(new Date());
    await insertRows(pool, [row]);
    (await runningOutbox(service, pool)).publish(row);
    await until(async () => (await unpublished(pool)).length === 0);
    expect(await factIds()).toContain(row.id);
  } finally {
    await backup.query('rollback');
    backup.release();
  }
});

test('facts of a database that has a row for each become rows of one', async () => {
  const url = await newDatabase(postgres);
  const { log } = recordedLog();
  const before = { ...bareService, migrations: bareService.migrations.slice(0, 1) };
  await migrate({ url, poolSize: 2, definition: before }, log);
  const older = poolOf(url);
  await makeOutboxPartitions(older, new Date());
  const facts = [...aged(1), factAt(new Date(Date.now() - MINUTE_MS + 1), 'socket-1')];
  for (const { id, createdAt, fact, data, exceptSocket } of facts) {
    await older.query('insert into outbox (id, created_at, fact, data, except_socket) values ($1, $2, $3, $4, $5)', [
      id,
      createdAt,
      fact,
      data,
      exceptSocket,
    ]);
  }
  await migrate({ url, poolSize: 2, definition: bareService }, log);
  const swept: OutboxFact[] = [];
  await runningOutbox(service, older, left => Promise.resolve(void swept.push(left)));
  await until(async () => (await unpublished(older)).length === 0);
  expect(swept).toEqual(facts);
});
