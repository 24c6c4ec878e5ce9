import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 1;

/**
 * Calls `act` with 0, 1, 2 … at a steady rate, `count` times or until it is ended; what a busy machine delayed is
 * caught up with.
 */
export async function pace(
  perSecond: number,
  count: number,
  act: (index: number) => void,
  ending?: AbortSignal,
): Promise<void> {
  const start = performance.now();
  for (let done = 0; done < count && !ending?.aborted;) {
    const due = Math.min(count, ((performance.now() - start) / 1_000) * perSecond);
    for (; done < due; done += 1) act(done);
    await sleep(TICK_MS);
  }
}
