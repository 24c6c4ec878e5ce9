import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { renderServerConfig } from '@rapport/bus';
import { BUS_USERS, type BusUser, type FactConsumer } from '@rapport/contracts';
import { findNatsServer } from './find-nats-server.mjs';
import { endLeftover } from './leftovers.ts';
import { SILENT, type Output } from './output.ts';
import { choosePort, LOOPBACK } from './ports.ts';
import { inherited, type Environment } from './process-environment.ts';
import { keepSecrets, writePrivate } from './secrets.ts';
import { StackError } from './stack-error.ts';
import { readyOrStopped, supervise, type Supervised } from './supervise.ts';

export interface NatsOptions {
  /** Holds its data, its config and, in secrets.json, the passwords; a second start finds all of it. */
  dir: string;
  /** A free one when 0 or left out. */
  port?: number;
  /** The durable consumers whose rights the config grants; those of the contracts when left out. */
  consumers?: readonly FactConsumer[];
  /** Where NATS_SERVER and PATH are looked up; those of this process when left out. */
  env?: Environment;
  output?: Output;
  /** Ends the start when it is aborted. */
  signal?: AbortSignal;
}

/** A running nats-server. */
export interface Nats {
  readonly process: Supervised;
  readonly port: number;
  /** `nats://127.0.0.1:port`, without credentials. */
  readonly server: string;
  readonly passwords: Readonly<Record<BusUser, string>>;
  /** Where each user connects, with their name and password. */
  readonly urls: Readonly<Record<BusUser, string>>;
}

/** How it says what matters. Its passwords are in a file that only its owner may read: that warning is not about us. */
const WORTH_SHOWING = /\[(WRN|ERR|FTL)\] (?!Plaintext passwords)/;
const GREETING_TIMEOUT_MS = 1_000;
const STOP_MS = 3_000;

/**
 * Starts a nats-server with JetStream, in which each process has its own user and rights, and waits until it answers.
 * @throws StackError when there is no nats-server or the port is taken
 */
export async function startNats(options: NatsOptions): Promise<Nats> {
  const dir = resolve(options.dir);
  const output = options.output ?? SILENT;
  const folder = join(dir, 'nats');
  const config = join(folder, 'nats-server.conf');
  const pidFile = join(folder, 'nats-server.pid');
  const program = nameServer(options.env ?? inherited);
  const { nats: passwords } = keepSecrets(dir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (await endLeftover(pidFile, ['-c', config], 'SIGTERM')) output.note('ended a nats-server that was left running');
  const port = await choosePort(options.port ?? 0, 'NATS_PORT');
  const storeDir = join(folder, 'jetstream');
  writePrivate(
    config,
    renderServerConfig({
      host: LOOPBACK,
      port,
      storeDir,
      passwords,
      ...(options.consumers && { consumers: options.consumers }),
    }),
  );
  const supervised = supervise(
    {
      name: 'nats-server',
      command: program,
      args: ['-c', config],
      env: {},
      pidFile,
      isReady: () => greets(port),
      stopSignals: [['SIGTERM', STOP_MS]],
      isWorthShowing: line => WORTH_SHOWING.test(line),
    },
    output,
  );
  const process = await readyOrStopped(supervised, options.signal);
  const server = `nats://${LOOPBACK}:${port}`;
  const url = (user: BusUser) => `nats://${user}:${passwords[user]}@${LOOPBACK}:${port}`;
  const urls = Object.fromEntries(BUS_USERS.map(user => [user, url(user)])) as Record<BusUser, string>;
  return { process, port, server, passwords, urls };
}

function nameServer(env: Environment): string {
  let program: string | undefined;
  try {
    program = findNatsServer(env);
  } catch (error) {
    throw new StackError((error as Error).message);
  }
  if (program) return program;
  throw new StackError('nats-server is not here: run `node scripts/setup.mjs`, or set NATS_SERVER to the program.');
}

/** Every nats-server begins a connection with its INFO line, once it serves. */
async function greets(port: number): Promise<boolean> {
  const socket = connect(port, LOOPBACK);
  try {
    const [greeting] = (await once(socket, 'data', { signal: AbortSignal.timeout(GREETING_TIMEOUT_MS) })) as [Buffer];
    return greeting.toString('latin1').startsWith('INFO ');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
