import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Runs `task` again and again, `everyMs` after it last ended, until `signal` is aborted. Resolves when it has ended. */
export async function repeat(
  name: string,
  everyMs: number,
  task: () => Promise<void>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await task();
    } catch (error) {
      log.warn({ task: name, err: error }, 'a repeated task failed, it will be tried again');
    }
  }
}
