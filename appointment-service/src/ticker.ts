import type { BusLog } from '@rapport/bus';
import cron from 'node-cron';

interface Job {
  readonly name: string;
  /** Seconds, minutes, hours… of node-cron. */
  readonly every: string;
  readonly run: () => Promise<void>;
}

/**
 * Runs each job on its beat until the process stops; one that is still running skips a beat. The library only beats:
 * what is due is in the database, because its calendar goes wrong where clocks are changed (node-cron #492, #509)
 * and it remembers nothing. It beats in UTC, where they are not.
 */
export function startTicker(
  jobs: readonly Job[],
  { log, onStop }: { log: BusLog; onStop: (name: string, stop: () => Promise<void>) => void },
): void {
  for (const { name, every, run } of jobs) {
    let running: Promise<void> | undefined;
    const beat = (): void => {
      running ??= run()
        .catch((error: unknown) => log.warn({ job: name, err: error }, 'a job failed, it will be tried again'))
        .finally(() => (running = undefined));
    };
    const task = cron.schedule(every, beat, { timezone: 'UTC', suppressMissedWarning: true });
    onStop(`job ${name}`, async () => {
      await task.destroy();
      await running;
    });
  }
}
