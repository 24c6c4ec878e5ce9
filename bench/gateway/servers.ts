import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, type Nats } from '@rapport/local-stack';
import { end, startChild, type Child } from '../child/start-child.ts';
import type { Target } from '../load/web-socket.ts';
import { withMemoryOnSignal } from '../measure/collected-memory.ts';
import type { BareCommands } from './bare-process.ts';

/** A server that is measured, in a process of its own. */
export interface Server {
  readonly pid: number;
  readonly target: Target;
  stop(): Promise<void>;
}

/** Where all servers of a run stand, so that all of them are treated alike. */
export interface Ground {
  readonly nats: Nats;
  /** For files of this run; removed at its end. */
  readonly folder: string;
  readonly jwtSecret: string;
  /** Options of Node that all of them get. */
  readonly nodeOptions?: readonly string[];
  /** Registers what must be stopped however the run ends; our own processes end with this one. */
  readonly atEnd: (stop: () => Promise<void>) => void;
}

const LOOPBACK = '127.0.0.1';
const GATEWAY = fileURLToPath(new URL('../../gateway/src/main.ts', import.meta.url));
const READY_POLL_MS = 50;
const READY_TIMEOUT_MS = 30_000;

/** Every limit that a crowd from one machine would run into. */
const WITHOUT_LIMITS = {
  RATE_LIMIT_BURST: '0',
  RATE_LIMIT_PER_SECOND: '0',
  MAX_HANDSHAKES_PER_SECOND: '0',
  MAX_SOCKETS_PER_USER: '0',
  MAX_SOCKETS_PER_ADDRESS: '0',
};

export interface GatewayServer extends Server {
  /** Where its metrics are. */
  readonly metrics: string;
}

/** The product's gateway, alone: nobody answers its requests. */
export async function startGateway({ nats, folder, jwtSecret, nodeOptions = [] }: Ground): Promise<GatewayServer> {
  const [port, opsPort] = [await freePort(), await freePort()];
  const revocations = join(folder, 'revocations.jsonl');
  writeFileSync(revocations, '');
  const child = fork(GATEWAY, [], {
    env: {
      PATH: process.env['PATH'],
      NODE_OPTIONS: [withMemoryOnSignal(folder), ...nodeOptions].join(' '),
      NATS_URL: nats.server,
      NATS_USER: 'gateway',
      NATS_PASSWORD: nats.passwords.gateway,
      HOST: LOOPBACK,
      PORT: String(port),
      OPS_HOST: LOOPBACK,
      OPS_PORT: String(opsPort),
      JWT_SECRET: jwtSecret,
      LOG_LEVEL: 'warn',
      REVOCATIONS_PATH: revocations,
      ...WITHOUT_LIMITS,
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const operations = `http://${LOOPBACK}:${opsPort}`;
  try {
    await untilReady(`${operations}/readyz`);
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    target: { host: LOOPBACK, port },
    metrics: `${operations}/metrics`,
    stop: () => end(child),
  };
}

export interface BareOptions {
  readonly checksTokens: boolean;
  readonly listensOnNats?: boolean;
}

export interface BareServer extends Server {
  readonly emit: (input: Parameters<BareCommands['emit']>[0]) => Promise<void>;
}

export async function startBare(
  { nats, folder, jwtSecret, nodeOptions = [] }: Omit<Ground, 'nats' | 'atEnd'> & { readonly nats?: Nats },
  { checksTokens, listensOnNats = false }: BareOptions,
): Promise<BareServer> {
  const program = new URL('bare-process.ts', import.meta.url);
  const env = { NODE_OPTIONS: [withMemoryOnSignal(folder), ...nodeOptions].join(' ') };
  const child: Child<BareCommands> = await startChild<BareCommands>(program, { env });
  const port = await child.call('listen', {
    ...(checksTokens && { jwtSecret }),
    ...(listensOnNats && nats && { nats: { server: nats.server, password: nats.passwords.gateway } }),
  });
  return {
    pid: child.pid,
    target: { host: LOOPBACK, port },
    emit: input => child.call('emit', input),
    stop: () => child.stop(),
  };
}

async function untilReady(url: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    await sleep(READY_POLL_MS);
  }
  throw new Error(`${url} does not answer 200`);
}
