import { beforeAll, expect, test } from '@jest/globals';
import { freePort, type Nats, type Postgres } from '@rapport/local-stack';
import { requestForUser } from '@rapport/bus';
import { Client } from 'pg';
import {
  atEnd,
  busAs,
  newDatabase,
  runningNats,
  runningPostgres,
  START_TIMEOUT_MS,
  temporaryFolder,
  until,
} from './kit.ts';
import { runningService, serviceEnvironment } from './service-process.ts';
import { runChild, type Child } from './child.ts';

let nats: Nats;
let postgres: Postgres;
let child: Child;
let url: string;
let databaseUrl: string;
/** Of its four connections two are for writing messages. */
const POOL_SIZE = 2;
const CONNECTIONS = 4;
const dir = temporaryFolder();

beforeAll(async () => {
  [nats, postgres] = await Promise.all([runningNats({ dir }), runningPostgres({ dir })]);
  databaseUrl = await newDatabase(postgres);
  const environment = { ...serviceEnvironment(nats, databaseUrl), DATABASE_POOL_SIZE: String(CONNECTIONS) };
  ({ child, url } = await runningService(environment));
}, START_TIMEOUT_MS);

async function readiness(): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

const READY = { status: 200, body: { status: 'ok', checks: { started: 'ok', nats: 'ok', database: 'ok' } } };
const isReady = async (): Promise<boolean> => (await readiness()).status === 200;

async function expectAlive(): Promise<void> {
  const response = await fetch(`${url}/healthz`);
  expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  expect(child.process.exitCode).toBeNull();
}

test('a process that has started is ready and alive', async () => {
  expect(await readiness()).toEqual(READY);
  await expectAlive();
});

test('without NATS it is alive and not ready, and ready again by itself when NATS is back', async () => {
  await nats.process.stop();
  await until(async () => !(await isReady()));
  expect(await readiness()).toEqual({
    status: 503,
    body: { status: 'unavailable', checks: { started: 'ok', nats: 'failing', database: 'ok' } },
  });
  await expectAlive();
  nats = await runningNats({ dir, port: nats.port });
  await until(isReady);
  expect(await readiness()).toEqual(READY);
});

test('without PostgreSQL it is alive and not ready, and ready again by itself when PostgreSQL is back', async () => {
  await postgres.process.stop();
  await until(async () => !(await isReady()));
  expect(await readiness()).toEqual({
    status: 503,
    body: { status: 'unavailable', checks: { started: 'ok', nats: 'ok', database: 'failing' } },
  });
  await expectAlive();
  postgres = await runningPostgres({ dir, port: postgres.port });
  await until(isReady);
  expect(await readiness()).toEqual(READY);
});

test('a service whose connections are all taken by requests is busy, not unready', async () => {
  const [gateway, client] = [await busAs(nats, 'gateway'), new Client({ connectionString: databaseUrl })];
  await client.connect();
  atEnd(() => client.end());
  await client.query('begin');
  await client.query('lock table conversation in access exclusive mode');
  const actor = { userId: 'alice', role: 'client' } as const;
  const requests = Array.from({ length: 20 }, (_, index) =>
    requestForUser(gateway, 'conversation:list', { actor: { ...actor, userId: `u-${index}` }, input: { limit: 50 } }),
  );
  await until(async () => {
    const waiting = await client.query(
      `select from pg_locks where not granted and relation = 'conversation'::regclass`,
    );
    return waiting.rowCount === POOL_SIZE;
  });
  expect(await readiness()).toEqual(READY);
  await client.query('rollback');
  const codes = (await Promise.all(requests)).map(({ code }) => code);
  expect(new Set(codes)).toEqual(new Set(['OK']));
});

test('a process that has not got through its start yet is alive and not ready', async () => {
  const port = await freePort();
  const nowhere = { ...serviceEnvironment(nats, postgres.url), NATS_URL: 'nats://127.0.0.1:1', OPS_PORT: `${port}` };
  const waiting = `http://127.0.0.1:${port}`;
  await runChild('messaging-service/src/main.ts', nowhere).logged('NATS is not reachable, trying again');
  const [alive, ready] = await Promise.all(['healthz', 'readyz'].map(path => fetch(`${waiting}/${path}`)));
  expect([alive?.status, ready?.status]).toEqual([200, 503]);
});

test('the operations port shows nothing else, and does not say what serves it', async () => {
  const response = await fetch(`${url}/`);
  expect(response.status).toBe(404);
  expect(response.headers.get('x-powered-by')).toBeNull();
});
