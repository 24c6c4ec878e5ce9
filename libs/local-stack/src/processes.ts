import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROCESSES, SERVICES, type ProcessName, type ServiceName } from '@rapport/contracts';
import { endLeftover } from './leftovers.ts';
import type { Output } from './output.ts';
import { sourceOf } from './paths.ts';
import { choosePort, freePort, LOOPBACK } from './ports.ts';
import { runProgram, type Program } from './run-program.ts';
import { StackError } from './stack-error.ts';

/** What a process gets to stop in good order. Gateways, services and servers, one after the other, take at most 9 s. */
export const PROCESS_STOP_MS = 2_500;
/** A little later, so that it can say itself what missed its deadline. */
const PROCESS_KILL_MS = 3_000;
const READYZ_TIMEOUT_MS = 2_500;
const KEPT_LINES = 20;

/** One of the processes to run. */
export interface Replica {
  readonly process: ProcessName;
  /** `gateway`, or `gateway-1` and `gateway-2` where there are two. */
  readonly name: string;
  readonly opsPort: number;
  /** Where clients connect; of a gateway. */
  readonly port: number | undefined;
}

/**
 * Which processes to run, on which ports. The first gateway gets the port that was asked for.
 * @throws StackError when that port is taken
 */
export async function planReplicas(
  counts: Partial<Record<ProcessName, number>>,
  gateway: { port: number; host: string },
): Promise<Replica[]> {
  const replicas: Replica[] = [];
  for (const process of PROCESSES) {
    const count = counts[process] ?? 1;
    for (let index = 0; index < count; index += 1) {
      const wanted = index === 0 ? gateway.port : 0;
      const port = isService(process) ? undefined : await choosePort(wanted, 'PORT', gateway.host);
      const name = count === 1 ? process : `${process}-${index + 1}`;
      replicas.push({ process, name, opsPort: await freePort(), port });
    }
  }
  return replicas;
}

/** How to run a replica from its source. */
export function programOf(dir: string, replica: Replica, env: Record<string, string>): Program {
  return {
    name: replica.name,
    command: process.execPath,
    args: [sourceOf(replica.process, 'main'), markOf(dir)],
    env,
    pidFile: join(runFolder(dir), `${replica.name}.pid`),
    isTied: true,
    isReady: async () => {
      const response = await fetch(`${opsUrl(replica)}/readyz`, { signal: AbortSignal.timeout(READYZ_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.ok;
    },
    stopSignals: [['SIGTERM', PROCESS_KILL_MS]],
  };
}

/** Where the operations port of a replica is. */
export function opsUrl({ opsPort }: Replica): string {
  return `http://${LOOPBACK}:${opsPort}`;
}

/** Our processes end by themselves when the stack is killed; the next start waits for that, for the sake of their ports. */
export async function endLeftoverProcesses(dir: string): Promise<void> {
  const folder = runFolder(dir);
  const files = readdirSync(folder).map(file => join(folder, file));
  await Promise.all(files.map(file => endLeftover(file, [markOf(dir)], 'SIGTERM')));
}

/**
 * Brings the schema of a service's database up to date.
 * @throws StackError with its last lines when it fails
 */
export async function migrate(
  service: ServiceName,
  env: Record<string, string>,
  output: Output,
  signal: AbortSignal | undefined,
): Promise<void> {
  const name = `${service} migrate`;
  const lines: string[] = [];
  const onLine = (line: string): void => {
    if (lines.push(line) > KEPT_LINES) lines.shift();
    output.line(service, line);
  };
  const run = runProgram(
    { command: process.execPath, args: [sourceOf(service, 'migrate')], env, stopSignals: [] },
    onLine,
  );
  const stop = (): void => void run.stop();
  signal?.addEventListener('abort', stop, { once: true });
  const { how, code } = await run.ended;
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (code !== 0) throw new StackError([`${name} failed (${how}):`, ...lines].join('\n'));
}

export function isService(name: ProcessName): name is ServiceName {
  return (SERVICES as readonly ProcessName[]).includes(name);
}

/** In the command line of every process of this stack, so that the next start can tell it from a stranger. */
function markOf(dir: string): string {
  return `--local-stack=${dir}`;
}

function runFolder(dir: string): string {
  const folder = join(dir, 'run');
  mkdirSync(folder, { recursive: true });
  return folder;
}
