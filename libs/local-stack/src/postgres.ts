import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { endLeftover, readPid, forgetPid, commandLine } from './leftovers.ts';
import { SILENT, type Output } from './output.ts';
import { choosePort, LOOPBACK } from './ports.ts';
import { initialise } from './postgres-initialise.ts';
import { findPostgresFolder } from './postgres-folder.ts';
import { findPostgres } from './postgres-programs.ts';
import { keepSecrets } from './secrets.ts';
import { readyOrStopped, supervise, type Supervised } from './supervise.ts';

export interface PostgresOptions {
  /** Holds its data and, in secrets.json, its password; a second start finds both. */
  dir: string;
  /** A free one when 0 or left out. */
  port?: number;
  output?: Output;
  /** Ends the start when it is aborted. */
  signal?: AbortSignal;
}

/** A running PostgreSQL. */
export interface Postgres {
  readonly process: Supervised;
  readonly port: number;
  /** The database `postgres` as the owner of everything. */
  readonly url: string;
}

/** The owner of the local PostgreSQL. */
const OWNER = 'postgres';

/** How it says what matters. */
const WORTH_SHOWING = /\b(WARNING|ERROR|FATAL|PANIC): /;
/** What it says to whoever connects while it starts or stops: readiness probes and reconnecting services. */
const PASSING = /the database system is (starting up|shutting down|in recovery mode|not yet accepting connections)/;
const CONNECT_TIMEOUT_MS = 1_000;
/** A fast shutdown writes a checkpoint; an immediate one leaves that to the next start. */
const FAST_SHUTDOWN_MS = 2_500;
const IMMEDIATE_SHUTDOWN_MS = 500;

/**
 * Starts a PostgreSQL with its data in `dir`, and waits until it answers.
 * @throws StackError when there is none for this platform, no user to run it as, or the port is taken
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const dir = resolve(options.dir);
  const output = options.output ?? SILENT;
  const { postgres: password } = keepSecrets(dir);
  const { folder, runAs } = findPostgresFolder(dir, output);
  const programs = findPostgres(runAs, output);
  const data = join(folder, 'data');
  const postmaster = join(data, 'postmaster.pid');
  if (await endLeftover(postmaster, ['-D', data], 'SIGINT')) output.note('ended a PostgreSQL that was left running');
  const port = await choosePort(options.port ?? 0, 'POSTGRES_PORT');
  if (!existsSync(data)) await initialise({ programs, folder, data, runAs, user: OWNER, password });
  const url = `postgresql://${OWNER}:${password}@${LOOPBACK}:${port}/postgres`;
  const supervised = supervise(
    {
      name: 'postgresql',
      command: programs.postgres,
      args: ['-D', data, '-p', String(port), ...SETTINGS.flatMap(setting => ['-c', setting])],
      env: { TZ: 'UTC' },
      owner: runAs,
      prepare: () => forgetStrangerIn(postmaster, data),
      isReady: () => answers(url),
      stopSignals: [
        ['SIGINT', FAST_SHUTDOWN_MS],
        ['SIGQUIT', IMMEDIATE_SHUTDOWN_MS],
      ],
      isWorthShowing: line => WORTH_SHOWING.test(line) && !PASSING.test(line),
    },
    output,
  );
  const process = await readyOrStopped(supervised, options.signal);
  return { process, port, url };
}

const SETTINGS: readonly string[] = [
  `listen_addresses=${LOOPBACK}`,
  // Files for sockets would need a folder of their own, and a path of at most 107 characters.
  'unix_socket_directories=',
  // The default; said here because everything that is acknowledged rests on it.
  'fsync=on',
  'max_connections=200',
  'timezone=UTC',
  'log_timezone=UTC',
  // A statement or a detail may hold what a person wrote, and that is in no log.
  'log_min_error_statement=panic',
  'log_error_verbosity=terse',
  'log_parameter_max_length_on_error=0',
];

/** A process that has the number of a dead postmaster by now would keep PostgreSQL from starting. */
function forgetStrangerIn(postmaster: string, data: string): void {
  const pid = readPid(postmaster);
  const running = pid === undefined ? undefined : commandLine(pid);
  if (running !== undefined && !running.includes(data)) forgetPid(postmaster);
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A connection that breaks is told twice, by the promise and by this event; without a listener it would be thrown.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}
