import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startStack, type Postgres } from '@rapport/local-stack';
import { startChild } from '../child/start-child.ts';
import type { Target } from '../load/web-socket.ts';
import { readMetric } from '../measure/metrics.ts';
import { linkPairs } from '../run/link-pairs.ts';
import { renewDatabase } from './databases.ts';
import type { MonolithCommands } from './monolith-process.ts';

/** Where all servers of a run stand, so that all of them are treated alike. */
export interface Ground {
  /** For files of this run; removed at its end. */
  readonly folder: string;
  readonly jwtSecret: string;
  /** With which the product encrypts. */
  readonly contentKey: { readonly id: string; readonly key: string };
  /** The one PostgreSQL of the run. */
  readonly postgres: Postgres;
  /** Registers what must be stopped however the run ends; our own processes end with this one. */
  readonly atEnd: (stop: () => Promise<void>) => void;
}

/** A server that is measured. */
export interface Server {
  /** Where clients connect. */
  readonly targets: readonly Target[];
  /** Its processes by name; without PostgreSQL, which all of them share. */
  readonly pids: Readonly<Record<string, number>>;
  /** Of the product: how many facts wait for those who act on them. */
  readonly factsWaiting?: () => Promise<number>;
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const BASELINE_DATABASE = 'baseline';
export const PRODUCT_DATABASE = 'messaging';

/** Every limit that a crowd from one machine would run into. */
const WITHOUT_LIMITS = {
  RATE_LIMIT_BURST: '0',
  RATE_LIMIT_PER_SECOND: '0',
  MAX_HANDSHAKES_PER_SECOND: '0',
  MAX_SOCKETS_PER_USER: '0',
  MAX_SOCKETS_PER_ADDRESS: '0',
};

/** Socket.IO that stores nothing. */
export async function startMemory({ jwtSecret }: Ground): Promise<Server> {
  return startMonolithWith({ jwtSecret });
}

/** Socket.IO with one insert for each message, into a table that is empty. */
export async function startMonolith({ jwtSecret, postgres }: Ground, connections: number): Promise<Server> {
  return startMonolithWith({ jwtSecret, databaseUrl: await renewDatabase(postgres, BASELINE_DATABASE), connections });
}

async function startMonolithWith(listening: Parameters<MonolithCommands['listen']>[0]): Promise<Server> {
  const child = await startChild<MonolithCommands>(new URL('monolith-process.ts', import.meta.url));
  const port = await child.call('listen', listening);
  return { targets: [{ host: LOOPBACK, port }], pids: { monolith: child.pid }, stop: () => child.stop() };
}

export interface ProductOptions {
  readonly gateways?: number;
  /** Whose pairs are in a care relationship, from 0. */
  readonly pairs: number;
  /** Start on what the database has already. */
  readonly keepData?: boolean;
}

/**
 * The product as `npm start` runs it, except for its limits, for who may write to whom, which it looks up here, and for
 * PostgreSQL, which is that of the run.
 */
export async function startProduct(ground: Ground, options: ProductOptions): Promise<Server> {
  const { folder, jwtSecret, contentKey, postgres } = ground;
  if (!options.keepData) await renewDatabase(postgres, PRODUCT_DATABASE);
  const dataDir = join(folder, 'stack');
  mkdirSync(dataDir, { recursive: true });
  chmodSync(dataDir, 0o755);
  const stack = await startStack({
    dataDir,
    jwtSecret,
    databaseUrl: postgres.url,
    processes: { gateway: options.gateways ?? 1 },
    env: {
      ...process.env,
      ...WITHOUT_LIMITS,
      CONTACT_POLICY: 'care-team',
      CONTENT_KEYS: `${contentKey.id}:${contentKey.key}`,
    },
    output: { note: text => console.error(text), line: () => undefined },
  });
  ground.atEnd(() => stack.stop());
  await linkPairs(stack.databases['messaging-service'], options.pairs);
  return {
    targets: stack.gateways.map(url => ({ host: new URL(url).hostname, port: Number(new URL(url).port) })),
    pids: Object.fromEntries(
      [...stack.programs].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]])),
    ),
    factsWaiting: () => readMetric(stack.metrics['notification-service'] ?? '', 'rapport_consumer_lag'),
    stop: () => stack.stop(),
  };
}
