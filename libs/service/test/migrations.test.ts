import { Migration } from '@mikro-orm/migrations';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Postgres } from '@rapport/local-stack';
import {
  assertMigrated,
  connectDatabase,
  migrate,
  refusalOf,
  type DatabaseDefinition,
} from '../src/database/connection.ts';
import { bareService } from './database-kit.ts';
import { atEnd, newDatabase, poolOf, recordedLog, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

class Notes extends Migration {
  override up(): void {
    // Slow enough that two at once would meet in it.
    this.addSql('select pg_sleep(0.3)');
    this.addSql('create table note (id int not null primary key)');
  }
}

class Broken extends Migration {
  override up(): void {
    this.addSql('create table half_way (id int not null primary key)');
    this.addSql('select no_such_function()');
  }
}

const added = (name: string, migration: typeof Notes): DatabaseDefinition => ({
  ...bareService,
  migrations: [...bareService.migrations, { name, class: migration }],
});
const bare = bareService.migrations.map(({ name }) => name);
const newer = added('2027-01-01-notes', Notes);

let postgres: Postgres;
let url: string;

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  url = await newDatabase(postgres);
});

const migrateTo = (definition: DatabaseDefinition): Promise<void> =>
  migrate({ url, poolSize: 2, definition }, recordedLog().log);

/** What a service does when it starts. */
async function start(definition: DatabaseDefinition): Promise<void> {
  const { orm } = await connectDatabase({ url, poolSize: 2, definition });
  atEnd(() => orm.close(true));
  await assertMigrated(orm);
}

async function migrations(): Promise<string[]> {
  const result = await poolOf(url, 1).query<{ name: string }>('select name from migrations order by id');
  return result.rows.map(({ name }) => name);
}

test('a service refuses an empty database and says what to run', async () => {
  await expect(start(bareService)).rejects.toThrow(
    `the database schema is older than this service (missing: ${bare.join(', ')}); run npm run migrate`,
  );
});

test('a service refuses a schema that is one migration behind, and names that one', async () => {
  await migrateTo(bareService);
  await expect(start(newer)).rejects.toThrow('(missing: 2027-01-01-notes); run npm run migrate');
});

test('a service starts on its own schema, and on a newer one', async () => {
  await migrateTo(newer);
  await expect(start(newer)).resolves.toBeUndefined();
  await expect(start(bareService)).resolves.toBeUndefined();
});

test('looking whether the schema is new enough changes nothing in the database', async () => {
  await migrateTo(bareService);
  await start(newer).catch(() => undefined);
  expect(await migrations()).toEqual(bare);
});

test('a second migrate finds nothing to do', async () => {
  await migrateTo(newer);
  await migrateTo(newer);
  expect(await migrations()).toEqual([...bare, '2027-01-01-notes']);
});

test('of several migrates at once one does the work and all succeed', async () => {
  await expect(Promise.all([newer, newer, newer, newer].map(migrateTo))).resolves.toHaveLength(4);
  expect(await migrations()).toEqual([...bare, '2027-01-01-notes']);
});

test('a migration that fails leaves nothing of itself behind', async () => {
  await migrateTo(bareService);
  await expect(migrateTo(added('2027-01-01-broken', Broken))).rejects.toThrow('no_such_function');
  expect(await migrations()).toEqual(bare);
  const { rows } = await poolOf(url, 1).query(`select to_regclass('half_way') as left_over`);
  expect(rows).toEqual([{ left_over: null }]);
});

test('a server that is too old is refused with its version and the one that would do', () => {
  for (const version of ['18.0', '18.4 (Debian 18.4-1.pgdg12+1)', '19beta1'])
    expect(refusalOf(version)).toBeUndefined();
  for (const version of ['17.6', '9.6.24', '']) {
    expect(refusalOf(version)).toBe(`DATABASE_URL: the server is PostgreSQL ${version}, and must be 18 or later`);
  }
});
