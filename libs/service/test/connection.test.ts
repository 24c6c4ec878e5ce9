import { beforeAll, expect, test } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { connectDatabase, inTransaction, inUnitOfWork, type Database } from '../src/database/connection.ts';
import { connectPipeline } from '../src/database/pipeline.ts';
import { bareService } from './database-kit.ts';
import { atEnd, newDatabase, poolOf, recordedLog, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

let url: string;
let database: Database;
let operator: Pool;

beforeAll(async () => {
  url = await newDatabase(await runningPostgres());
  database = await connectDatabase({ url, poolSize: 1, definition: bareService });
  atEnd(() => database.close());
  operator = poolOf(url);
}, START_TIMEOUT_MS);

/** Ends the connection as a server does that restarts or hands over, and waits until it is known here. */
async function end(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const ended = new Promise(resolve => client.once('end', resolve));
  await operator.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  await ended;
}

const losing = (pool: Pool) =>
  inTransaction(pool, async client => {
    await end(client);
    await client.query('select 1');
  });

test.each([
  ['of the ORM', () => database.pool],
  [
    'that takes several statements at once',
    () => {
      const pipeline = connectPipeline({ url, size: 1, log: recordedLog().log });
      atEnd(() => pipeline.close());
      return pipeline.pool;
    },
  ],
])('a connection %s that is lost in a transaction ends that alone', async (_, connect) => {
  const pool = connect();
  await expect(losing(pool)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(losing(pool)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('one that is lost in a unit of work ends that alone', async () => {
  const work = inUnitOfWork(database.orm, async em => {
    await em.execute('select 1');
    await operator.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`,
    );
    await em.execute('select 1');
  });
  await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await database.orm.em.fork().execute('select 1 as one')).toEqual([{ one: 1 }]);
  await expect(database.ping()).resolves.toBeUndefined();
});
