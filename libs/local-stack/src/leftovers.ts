import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './stack-error.ts';

// nats-server and PostgreSQL do not notice that the process that started them was killed with -9. What
// they are is written down when they start, so that the next start can end them. A number alone proves
// nothing, it may be another program's by now: the command line must be the one that we would have used.

const POLL_MS = 20;
/** What a program gets to end in good order before it is killed. */
const PATIENCE_MS = 5_000;
const GIVE_UP_MS = 3_000;

/** Writes down which process runs a program. */
export function rememberPid(file: string, pid: number): void {
  writeFileSync(file, `${pid}\n`, { mode: 0o600 });
}

/** Forgets it: the process has ended. */
export function forgetPid(file: string): void {
  rmSync(file, { force: true });
}

/**
 * Ends the process that a file names, when its command line has all the given arguments, and waits until it is gone.
 * @returns whether there was one
 * @throws StackError when it does not end
 */
export async function endLeftover(file: string, args: readonly string[], signal: NodeJS.Signals): Promise<boolean> {
  const pid = readPid(file);
  const isOurs = (): boolean => {
    const running = pid === undefined ? undefined : commandLine(pid);
    return running !== undefined && args.every(arg => ` ${running} `.includes(` ${arg} `));
  };
  if (pid === undefined || !isOurs()) return false;
  for (const [next, patience] of [
    [signal, PATIENCE_MS],
    ['SIGKILL', GIVE_UP_MS],
  ] as const) {
    send(pid, next);
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      if (!isOurs()) return true;
      await sleep(POLL_MS);
    }
  }
  throw new StackError(`Process ${pid}, left by an earlier start, does not end: end it and start again.`);
}

/** The process id on the first line of a file, such as PostgreSQL's postmaster.pid. */
export function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** What a running process was started with; `undefined` when there is no such process. */
export function commandLine(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trimEnd();
      // A zombie, which has ended but was not waited for, has an empty one.
      return text === '' ? undefined : text;
    }
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trimEnd();
  } catch {
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM') {
      throw new StackError(`Process ${pid}, left by an earlier start, is another user's: end it and start again.`);
    }
    if (code !== 'ESRCH') throw error;
  }
}
