import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { createDatabases } from '../src/databases.ts';
import { startPostgres, type Postgres, type PostgresOptions } from '../src/postgres.ts';
import { keepSecrets } from '../src/secrets.ts';
import { afterwards, isRunning, recordedOutput, temporaryFolder } from './kit.ts';

async function running(options: PostgresOptions): Promise<Postgres> {
  const postgres = await startPostgres(options);
  afterwards(() => postgres.process.stop());
  return postgres;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('it is PostgreSQL 18, keeps what it acknowledges, and listens on the loopback address alone', async () => {
  const { url } = await running({ dir: temporaryFolder() });

  const settings = ['server_version_num', 'fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses'];
  const [version, ...rest] = await query(
    url,
    `SELECT ${settings.map(name => `current_setting('${name}')`).join(', ')}`,
  );
  expect(String(version)).toMatch(/^18/);
  expect(rest).toEqual(['on', 'on', 'on', '127.0.0.1']);
});

test('nobody connects without the password', async () => {
  const { url } = await running({ dir: temporaryFolder() });
  const withPassword = (password: string) => Object.assign(new URL(url), { password }).href;

  await expect(query(withPassword('guess'), 'SELECT 1')).rejects.toThrow('password authentication failed');
  await expect(query(withPassword(''), 'SELECT 1')).rejects.toThrow('password');
});

test('after kill -9 it comes back by itself, on its port and with what was committed', async () => {
  const output = recordedOutput();
  const { url, process } = await running({ dir: temporaryFolder(), output });
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const { pid } = process;
  // A connection that is open when the postmaster dies: its backend ends a moment later.
  const idle = new Client({ connectionString: url });
  idle.on('error', () => {});
  await idle.connect();

  process.kill('SIGKILL');
  await process.ready();

  expect(process.pid).not.toBe(pid);
  expect(await query(url, 'SELECT answer FROM kept')).toEqual([42]);
  expect(output.lines).toContainEqual(
    expect.stringMatching(/^postgresql ended \(signal SIGKILL\), starting again in 0\.\d s$/),
  );
});

test('a stop leaves no process behind, and a second start finds the data and the password', async () => {
  const dir = temporaryFolder();
  const first = await running({ dir });
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const { pid } = first.process;

  await first.process.stop();
  expect(isRunning(pid)).toBe(false);

  const second = await running({ dir, port: first.port });
  expect(second.url).toBe(first.url);
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([42]);
});

test('a service owns its own database and can reach no other', async () => {
  const dir = temporaryFolder();
  const { url } = await running({ dir });
  const { databases: passwords } = keepSecrets(dir);

  const databases = await createDatabases(url, passwords);
  expect(await createDatabases(url, passwords)).toEqual(databases);

  const own = databases['messaging-service'];
  await query(url, 'CREATE DATABASE another');
  await query(url, 'REVOKE CONNECT ON DATABASE another FROM PUBLIC');
  await query(own, 'CREATE TABLE mine (id integer)');
  await query(own, 'CREATE EXTENSION btree_gist');
  await expect(query(Object.assign(new URL(own), { pathname: '/another' }).href, 'SELECT 1')).rejects.toThrow(
    'permission denied',
  );
});

test('what people wrote is in no line that PostgreSQL prints', async () => {
  const output = recordedOutput();
  const { url } = await running({ dir: temporaryFolder(), output });
  await query(url, 'CREATE TABLE said (words text PRIMARY KEY)');
  const insert = "INSERT INTO said VALUES ('what-alice-said')";
  await query(url, insert);

  await expect(query(url, insert)).rejects.toThrow('duplicate key');

  expect(output.lines.join('\n')).not.toContain('what-alice-said');
});

test('a port that is taken is said in a line that names the variable', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  afterwards(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };

  await expect(startPostgres({ dir: temporaryFolder(), port })).rejects.toThrow(
    `Port ${port} is taken: set POSTGRES_PORT to another one, or to 0 for any free one.`,
  );
});
