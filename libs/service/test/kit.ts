import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from '@jest/globals';
import { connectBus, provision, type Bus } from '@rapport/bus';
import type { BusUser } from '@rapport/contracts';
import { startNats, startPostgres, type Nats, type Postgres } from '@rapport/local-stack';
import { Client, Pool } from 'pg';
import type { Logger } from 'pino';
import { createLogger } from '../src/logger.ts';
import { createMetrics, observeBus } from '../src/metrics.ts';
import type { ContentKey } from '../src/seal.ts';

/** A first start of PostgreSQL beside other tests on two cores. */
export const START_TIMEOUT_MS = 90_000;
/** A stack ends within 10 s by its own promise. */
const CLEAN_UP_MS = 15_000;
const POLL_MS = 20;

const cleanUps: (() => unknown)[] = [];

let isOver = false;

afterAll(async () => {
  isOver = true;
  const failures: unknown[] = [];
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) {
    // One that fails, or never ends, must not leave the servers of all the others running.
    await within(CLEAN_UP_MS, cleanUp).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, 'the clean-up failed');
}, START_TIMEOUT_MS);

async function within(milliseconds: number, work: () => unknown): Promise<void> {
  const timer = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`it did not end within ${milliseconds} ms: ${String(work)}`);
  });
  late.catch(() => undefined);
  try {
    await Promise.race([work(), late]);
  } finally {
    timer.abort();
  }
}

/** Registers what undoes something after the last test of the file, last first. */
export function atEnd(cleanUp: () => unknown): void {
  cleanUps.push(cleanUp);
}

/** A folder of its own, open to the user that PostgreSQL runs as when root runs the tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rapport-test-'));
  chmodSync(folder, 0o755);
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A nats-server with the stream of facts. */
export async function runningNats(options: { dir?: string; port?: number } = {}): Promise<Nats> {
  const { dir = temporaryFolder(), port = 0 } = options;
  const nats = await startNats({ dir, port, env });
  atEnd(() => nats.process.stop());
  const bus = await busAs(nats, 'provisioner');
  await provision(bus, { replicas: 1 });
  return nats;
}

export async function runningPostgres(options: { dir?: string; port?: number } = {}): Promise<Postgres> {
  const { dir = temporaryFolder(), port = 0 } = options;
  const postgres = await startPostgres({ dir, port });
  atEnd(() => postgres.process.stop());
  return postgres;
}

let databases = 0;

/** An empty database on the server. Resolves to its URL. */
export async function newDatabase({ url }: Postgres): Promise<string> {
  const name = `test_${(databases += 1)}`;
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

export function poolOf(databaseUrl: string, size = 5): Pool {
  const pool = new Pool({ connectionString: databaseUrl, max: size });
  pool.on('error', () => undefined);
  atEnd(() => pool.end());
  return pool;
}

export async function busAs(nats: Nats, user: BusUser, log: Logger = recordedLog().log): Promise<Bus> {
  const fatal = (error: Error) => log.fatal({ err: error }, 'the bus is gone');
  const bus = await connectBus({
    servers: nats.server,
    as: user,
    user,
    password: nats.passwords[user],
    requestTimeoutMs: 5_000,
    observer: observeBus(createMetrics(log), log, fatal),
  });
  // Not drained: its server may be gone by then.
  atEnd(() => bus.connection.close());
  return bus;
}

export interface StoredFact {
  readonly id: string;
  readonly data: Record<string, unknown>;
}

/** Every fact in the stream, oldest first, over the JSON API of JetStream. */
export async function storedFacts(developer: Bus): Promise<StoredFact[]> {
  const ask = async (subject: string, body: object): Promise<unknown> =>
    JSON.parse((await developer.connection.request(subject, JSON.stringify(body))).string());
  const { state } = (await ask('$JS.API.STREAM.INFO.EVENTS', {})) as { state: { last_seq: number } };
  const found: StoredFact[] = [];
  for (let seq = 1; seq <= state.last_seq; seq += 1) {
    const answer = (await ask('$JS.API.STREAM.MSG.GET.EVENTS', { seq })) as { message: { hdrs: string; data: string } };
    const [headers, data] = [answer.message.hdrs, answer.message.data].map(base64 => Buffer.from(base64, 'base64'));
    const id = /^ce-id: ?(.*)\r$/im.exec(String(headers))?.[1] ?? '';
    found.push({ id, data: JSON.parse(String(data)) as Record<string, unknown> });
  }
  return found;
}

/** A key such as CONTENT_KEYS has. */
export const newKey = (id: string): ContentKey => ({ id, key: randomBytes(32).toString('base64') });

/** The real logger at its most talkative, and the lines it wrote. */
export function recordedLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: createLogger('test', 'trace', { write: line => void lines.push(line) }), lines };
}

/** For what has no event to wait for, a table or an HTTP answer; the test's own time-out is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  // A test that has failed is not waited for, and what it left running must not keep Jest from ending.
  while (!isOver && !(await holds())) await sleep(POLL_MS);
}
