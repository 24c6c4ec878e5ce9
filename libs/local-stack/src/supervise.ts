import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Output } from './output.ts';
import { runProgram, type Program, type Run } from './run-program.ts';
import { StackError } from './stack-error.ts';

/** Between the end of a program and its next start: doubled each time, up to the last, less up to a quarter. */
const FIRST_BACK_OFF_MS = 500;
const LAST_BACK_OFF_MS = 8_000;
const BACK_OFF_JITTER = 0.25;
/** After running this long a program counts as well again, and its next back-off is the first one. */
const STABLE_AFTER_MS = 30_000;
const READY_POLL_MS = 40;
/** A cold start on a busy two-core machine takes seconds; a minute means that it will not come. */
const READY_TIMEOUT_MS = 60_000;
/** EX_CONFIG of sysexits.h: how a process of ours ends when its configuration is wrong. Trying again is no use. */
const CONFIGURATION_MISTAKE = 78;
/** How often a program may end before it was ready for the first time: what never ran will not run by itself. */
const FIRST_START_ATTEMPTS = 4;
const KEPT_LINES = 20;

/** A program that is kept running. */
export interface Supervised {
  readonly name: string;
  /** `undefined` while it is down. */
  readonly pid: number | undefined;
  /** Resolves once it answers; after `kill`, once its successor does. Rejects after a minute, and when it is stopped. */
  ready(): Promise<void>;
  /** Sends a signal, as a fault: when it ends by it, it is started again. */
  kill(signal: NodeJS.Signals): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/**
 * Starts a program and keeps it running until `stop`.
 * @param onGivenUp called when it is not started again: its configuration is wrong, or it never came up
 */
export function supervise(
  program: Program,
  output: Output,
  onGivenUp: (reason: StackError) => void = () => {},
): Supervised {
  const { name } = program;
  const events = new EventEmitter().setMaxListeners(0);
  const stopping = new AbortController();
  const lastLines: string[] = [];
  let run: Run | undefined;
  let isUp = false;
  let wasUp = false;
  let reasonToGiveUp: StackError | undefined;

  const onLine = (line: string): void => {
    if (lastLines.push(line) > KEPT_LINES) lastLines.shift();
    if (program.isWorthShowing?.(line) ?? true) output.line(name, line);
  };

  const keepRunning = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      const startedAt = performance.now();
      const end = await runOnce();
      if (stopping.signal.aborted) return;
      if (end.code === CONFIGURATION_MISTAKE) {
        giveUp([`${name} ended, its configuration is wrong:`, ...lastLines].join('\n'));
        return;
      }
      if (!wasUp && failures + 1 === FIRST_START_ATTEMPTS) {
        giveUp([`${name} does not start, it ended (${end.how}):`, ...lastLines].join('\n'));
        return;
      }
      if (performance.now() - startedAt > STABLE_AFTER_MS) failures = 0;
      const wait = backOff(failures);
      output.note(`${name} ended (${end.how}), starting again in ${(wait / 1_000).toFixed(1)} s`);
      await sleep(wait, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };

  const runOnce = async (): Promise<{ how: string; code?: number | undefined }> => {
    try {
      lastLines.length = 0;
      program.prepare?.();
      run = runProgram(program, onLine);
      void watchReadiness(run);
      return await run.ended;
    } catch (error) {
      return { how: error instanceof Error ? error.message : String(error) };
    } finally {
      run = undefined;
      isUp = false;
    }
  };

  const watchReadiness = async (current: Run): Promise<void> => {
    while (run === current) {
      const isReady = await program.isReady().catch(() => false);
      if (isReady && run === current && !current.isDoomed) {
        isUp = true;
        wasUp = true;
        events.emit('up');
        return;
      }
      await sleep(READY_POLL_MS);
    }
  };

  const giveUp = (reason: string): void => {
    reasonToGiveUp = new StackError(reason);
    // Without a listener Node would throw it; with one, somebody waits in `ready`.
    if (events.listenerCount('error') > 0) events.emit('error', reasonToGiveUp);
    if (!stopping.signal.aborted) onGivenUp(reasonToGiveUp);
  };

  const loop = keepRunning();
  return {
    name,
    get pid() {
      return run?.pid;
    },
    ready: async () => {
      if (reasonToGiveUp) throw reasonToGiveUp;
      if (isUp) return;
      try {
        await once(events, 'up', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
      } catch (error) {
        if (error instanceof StackError) throw error;
        throw new StackError([`${name} is not ready after ${READY_TIMEOUT_MS / 1_000} s.`, ...lastLines].join('\n'));
      }
    },
    kill: signal => {
      if (run?.kill(signal)) isUp = false;
    },
    stop: async () => {
      stopping.abort();
      giveUp(`${name} was stopped.`);
      await run?.stop();
      await loop;
    },
  };
}

/**
 * Waits until a program answers.
 * @throws StackError when it does not come up, or `signal` is aborted first; then it is not running any more
 */
export async function readyOrStopped(supervised: Supervised, signal?: AbortSignal): Promise<Supervised> {
  const stop = (): void => void supervised.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    await supervised.ready();
    return supervised;
  } catch (error) {
    await supervised.stop();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function backOff(failures: number): number {
  const full = Math.min(FIRST_BACK_OFF_MS * 2 ** failures, LAST_BACK_OFF_MS);
  return full * (1 - BACK_OFF_JITTER * Math.random());
}
