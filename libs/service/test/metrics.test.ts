import { beforeAll, expect, test } from '@jest/globals';
import { requestForUser, type Bus } from '@rapport/bus';
import type { Nats } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { factAt, insertRows } from './database-kit.ts';
import { busAs, newDatabase, poolOf, runningNats, runningPostgres, START_TIMEOUT_MS, until } from './kit.ts';
import { runningService, serviceEnvironment } from './service-process.ts';

let nats: Nats;
let gateway: Bus;
let pool: Pool;
let url: string;

beforeAll(async () => {
  const [started, postgres] = await Promise.all([runningNats(), runningPostgres()]);
  nats = started;
  const database = await newDatabase(postgres);
  ({ url } = await runningService(serviceEnvironment(nats, database)));
  gateway = await busAs(nats, 'gateway');
  pool = poolOf(database);
}, START_TIMEOUT_MS);

/** The value of a metric as Prometheus would read it; `undefined` when there is none. */
async function metric(name: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find(each => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

const sent = (code: string) =>
  `rapport_request_duration_seconds_count{side="server",subject="rpc.v1.user.message.send",code="${code}"}`;
const actor = { userId: 'alice', role: 'client' } as const;

test('requests are counted by subject and resulting code, with their durations', async () => {
  for (const recipientId of ['bob', 'carol', 'alice']) {
    const input = { recipientId, content: 'Hello!', messageType: 'TEXT' } as const;
    await requestForUser(gateway, 'message:send', { actor, input });
  }
  expect(await metric(sent('OK'))).toBe(2);
  expect(await metric(sent('INVALID_PAYLOAD'))).toBe(1);
  expect(await metric(sent('OK').replace('_count', '_sum'))).toBeGreaterThan(0);
});

test('the outbox depth is how many committed facts are not published', async () => {
  await until(async () => (await metric('rapport_outbox_depth')) === 0);
  // Too young for the sweeper for as long as the test may run.
  await insertRows(
    pool,
    [1, 2, 3].map(() => factAt(new Date(Date.now() + 3_600_000))),
  );
  expect(await metric('rapport_outbox_depth')).toBe(3);
});

test('the event-loop lag and what else a process costs are there', async () => {
  expect(await metric('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  expect(await metric('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
});
