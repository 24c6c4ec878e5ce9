import { beforeAll, expect, test } from '@jest/globals';
import { inTransaction } from '@rapport/service/database';
import type { Pool } from 'pg';
import { runningPostgres, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { lockPeople } from '../src/settle.ts';
import { presenceDatabase } from './kit.ts';

let pool: Pool;

beforeAll(async () => {
  ({ pool } = await presenceDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

/** Resolves when so many wait for a lock. */
const waiting = (count: number): Promise<void> =>
  until(async () => {
    const { rows } = await pool.query<{ count: number }>(
      `select count(distinct pid)::int as count from pg_locks where not granted and database = (
         select oid from pg_database where datname = current_database())`,
    );
    return rows[0]?.count === count;
  });

test('two reports that are the first to name somebody, and name somebody else who just became known, both get through', async () => {
  const [making, holding] = await Promise.all([pool.connect(), pool.connect()]);
  const lockBoth = () => inTransaction(pool, async client => (await lockPeople(client, ['new', 'old'])).size);
  await making.query('begin');
  await making.query(`insert into presence (user_id) values ('old')`);
  // From when this has its turn, rows can be locked and none made.
  await holding.query('begin');
  const held = holding.query('lock table presence in share mode');
  await waiting(1);
  // Does not see the other one yet.
  const first = lockBoth();
  await waiting(2);
  await making.query('commit');
  await held;
  // Does.
  const second = lockBoth();
  await waiting(2);
  await holding.query('commit');
  expect(await Promise.all([first, second])).toEqual([2, 2]);
  making.release();
  holding.release();
});
