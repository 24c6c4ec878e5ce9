import { beforeAll, expect, test } from '@jest/globals';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { atEnd, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { database } from '../src/database.ts';
import { presenceDatabase } from './kit.ts';

let connected: Database;

beforeAll(async () => {
  const { url } = await presenceDatabase(await runningPostgres());
  connected = await connectDatabase({ url, poolSize: 1, definition: database });
  atEnd(() => connected.orm.close(true));
}, START_TIMEOUT_MS);

test('the migrated tables are what the entities say', async () => {
  const sql = await connected.orm.schema.getUpdateSchemaSQL({ dropTables: false, safe: false });
  expect(sql.split('\n').filter(line => line !== '' && line !== "set names 'utf8';")).toEqual([]);
});

test('sessions are not logged, and what must outlive a crash is', async () => {
  const { rows } = await connected.pool.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relpersistence = 'u' order by 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(['session', 'session_store']);
});
