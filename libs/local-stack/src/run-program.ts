import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetPid, rememberPid } from './leftovers.ts';
import { eachLine } from './output.ts';

/** What it takes to run a program once. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Holds its process id, so that the next start can end what a killed stack left behind; when it writes none itself. */
  readonly pidFile?: string;
  /** Whose rights it runs with, when not those of this process. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Gives it a channel to this process; ours end when it breaks, so that they do not outlive a kill -9 of it. */
  readonly isTied?: boolean;
  /** What asks it to end, each with the milliseconds it gets before the next; SIGKILL comes last by itself. */
  readonly stopSignals: readonly (readonly [NodeJS.Signals, number])[];
}

/** A program to keep running. */
export interface Program extends Command {
  readonly name: string;
  /** Runs before every start: clears what the last run left. */
  readonly prepare?: () => void;
  readonly isReady: () => Promise<boolean>;
  /** Which of its lines are shown; all when left out. */
  readonly isWorthShowing?: (line: string) => boolean;
}

/** One run of a program, from its start to its end. */
export interface Run {
  readonly pid: number | undefined;
  /** It was sent a signal that ends it. */
  readonly isDoomed: boolean;
  readonly ended: Promise<{ how: string; code?: number | undefined }>;
  /** Sends a signal; `true` when it is one that ends a program. */
  kill(signal: NodeJS.Signals): boolean;
  stop(): Promise<void>;
}

const LAST_LINES_MS = 200;

const DEADLY: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGHUP'];

/** Starts a program once. Never throws: a program that cannot be started has ended. */
export function runProgram(program: Command, onLine: (line: string) => void): Run {
  const child = spawn(program.command, program.args, {
    env: program.env,
    // A group of its own: Ctrl-C reaches the whole group of the terminal, and the order of the stop is ours to keep.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', program.isTied ? 'ipc' : 'ignore'],
    ...program.owner,
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) eachLine(stream, onLine);
  }
  const { pidFile } = program;
  if (pidFile !== undefined && child.pid !== undefined) rememberPid(pidFile, child.pid);
  let isDoomed = false;
  const ended = howItEnds(child).finally(() => pidFile !== undefined && forgetPid(pidFile));
  return {
    pid: child.pid,
    get isDoomed() {
      return isDoomed;
    },
    ended,
    kill: signal => {
      child.kill(signal);
      isDoomed ||= DEADLY.includes(signal);
      return isDoomed;
    },
    stop: async () => {
      isDoomed = true;
      for (const [signal, milliseconds] of program.stopSignals) {
        child.kill(signal);
        const timer = new AbortController();
        const late = sleep(milliseconds, 'late', { signal: timer.signal }).catch(() => 'ended');
        const outcome = await Promise.race([ended, late]);
        timer.abort();
        if (outcome !== 'late') return;
      }
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function howItEnds(child: ChildProcess): Promise<{ how: string; code?: number | undefined }> {
  const closed = once(child, 'close').catch(() => {});
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    // Its last lines come after its end, unless a child of its own keeps its output open.
    await Promise.race([closed, sleep(LAST_LINES_MS)]);
    return signal === null ? { how: `exit code ${code}`, code: code ?? undefined } : { how: `signal ${signal}` };
  } catch (error) {
    return { how: error instanceof Error ? error.message : String(error) };
  }
}
