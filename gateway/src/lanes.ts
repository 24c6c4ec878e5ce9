import { AppError } from '@rapport/contracts';

export interface Lanes {
  /**
   * Runs the tasks of one key one after the other, in the order they were handed in.
   * @throws AppError `UNAVAILABLE` when the key's lane is full
   */
  run<T>(key: string, task: () => Promise<T>): Promise<T>;
  /** How many tasks wait or run. */
  readonly size: number;
}

/**
 * Requests of one socket that may wait: the burst of 300 that the contract lets a user send, and some.
 * A client that sends faster than the service commits is told so.
 */
const MAX_WAITING = 512;
const RETRY_AFTER_MS = 250;

export function createLanes(): Lanes {
  const lanes = new Map<string, { tail: Promise<unknown>; waiting: number }>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    async run(key, task) {
      const lane = lanes.get(key) ?? { tail: Promise.resolve(), waiting: 0 };
      if (lane.waiting >= MAX_WAITING) {
        throw new AppError('UNAVAILABLE', 'too many requests of this socket are waiting', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      lanes.set(key, lane);
      lane.waiting += 1;
      size += 1;
      const result = lane.tail.then(task);
      // The next task runs whether this one succeeds or not; its failure belongs to its own caller.
      lane.tail = result.catch(() => undefined);
      try {
        return await result;
      } finally {
        lane.waiting -= 1;
        size -= 1;
        if (lane.waiting === 0) lanes.delete(key);
      }
    },
  };
}
