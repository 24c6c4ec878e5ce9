import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { dropOutboxPartitions, makeOutboxPartitions } from '../src/database/outbox-partitions.ts';
import { factAt, insertRows, migratedDatabase, unpublished } from './database-kit.ts';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

let postgres: Postgres;
let pool: Pool;
let url: string;

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await migratedDatabase(postgres));
});

const at = (text: string): Date => new Date(`${text}Z`);

async function partitions(): Promise<string[]> {
  const result = await pool.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outbox'::regclass order by 1`,
  );
  return result.rows.map(({ name }) => name);
}

const days = (...numbers: string[]): string[] => numbers.map(number => `outbox_202611${number}`);

test('there are partitions for yesterday, today and a week ahead, by UTC day', async () => {
  await makeOutboxPartitions(pool, at('2026-11-10T23:59:59.999'));
  expect(await partitions()).toEqual(days('09', '10', '11', '12', '13', '14', '15', '16', '17'));
  await makeOutboxPartitions(pool, at('2026-11-11T00:00:00.000'));
  expect(await partitions()).toEqual(days('09', '10', '11', '12', '13', '14', '15', '16', '17', '18'));
});

test('rows find their partition to the millisecond, also when the session is in another time zone', async () => {
  const session = poolOf(url, 1);
  await session.query(`set time zone 'Pacific/Auckland'`);
  await makeOutboxPartitions(session, at('2026-11-10T12:00:00.000'));
  await insertRows(pool, [factAt(at('2026-11-09T23:59:59.999')), factAt(at('2026-11-10T00:00:00.000'))]);
  const counts = await pool.query(
    `select (select count(*)::int from outbox_20261109) as before, (select count(*)::int from outbox_20261110) as after`,
  );
  expect(counts.rows).toEqual([{ before: 1, after: 1 }]);
});

test('replicas that make them at the same time take turns', async () => {
  const replicas = Array.from({ length: 4 }, () => poolOf(url, 2));
  await Promise.all(replicas.map(replica => makeOutboxPartitions(replica, at('2026-11-10T12:00:00.000'))));
  expect(await partitions()).toHaveLength(9);
});

test('a partition is dropped when all of it is past the retention, and not a millisecond earlier', async () => {
  await makeOutboxPartitions(pool, at('2026-11-10T12:00:00.000'));
  await expect(dropOutboxPartitions(pool, at('2026-11-10T23:59:59.999'))).resolves.toEqual(days('09'));
  await expect(dropOutboxPartitions(pool, at('2026-11-11T00:00:00.000'))).resolves.toEqual(days('10'));
  expect(await partitions()).toEqual(days('11', '12', '13', '14', '15', '16', '17'));
});

test('a partition with a row that is not published stays, however old', async () => {
  await makeOutboxPartitions(pool, at('2026-11-10T12:00:00.000'));
  const [left, done] = [factAt(at('2026-11-09T12:00:00.000')), factAt(at('2026-11-10T12:00:00.000'))];
  await insertRows(pool, [left]);
  await insertRows(pool, [done], true);
  await expect(dropOutboxPartitions(pool, at('2026-11-12T00:00:00.000'))).resolves.toEqual(days('10', '11'));
  expect(await unpublished(pool)).toEqual([left.id]);
});
