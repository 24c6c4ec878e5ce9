import { AppError } from '@rapport/contracts';

export interface SocketOrder {
  /**
   * Runs a task when all that the socket sent before it has ended, and before anything that it sends later begins.
   * @throws AppError `UNAVAILABLE` when too much of the socket is waiting
   */
  alone<T>(socketId: string, task: () => Promise<T>): Promise<T>;
  /**
   * Begins a task after all earlier ones of the socket have begun and those that run alone have ended: for tasks that
   * keep their order from there on by themselves.
   * @throws AppError `UNAVAILABLE` as above
   */
  inOrder<T>(socketId: string, task: () => Promise<T>): Promise<T>;
  /** How many tasks wait or run. */
  readonly size: number;
}

/**
 * Requests of one socket that may wait: the burst of 300 that the contract lets a user send, and some.
 * A client that sends faster than the service commits is told so.
 */
const MAX_WAITING = 512;
const RETRY_AFTER_MS = 250;

interface Line {
  /** Settles when everything so far has ended. */
  tail: Promise<unknown>;
  /** Settles when the latest task that runs alone has ended; `undefined` when there is none. */
  gate: Promise<unknown> | undefined;
  waiting: number;
}

/** The order in which the requests of one socket reach the services. */
export function createSocketOrder(): SocketOrder {
  const lines = new Map<string, Line>();
  let size = 0;

  const run = <T>(socketId: string, begin: (line: Line) => Promise<T>): Promise<T> => {
    const line = lines.get(socketId) ?? { tail: Promise.resolve(), gate: undefined, waiting: 0 };
    if (line.waiting >= MAX_WAITING) {
      return Promise.reject(
        new AppError('UNAVAILABLE', 'too many requests of this socket are waiting', { retryAfterMs: RETRY_AFTER_MS }),
      );
    }
    lines.set(socketId, line);
    line.waiting += 1;
    size += 1;
    return begin(line).finally(() => {
      line.waiting -= 1;
      size -= 1;
      if (line.waiting === 0) lines.delete(socketId);
    });
  };

  return {
    get size() {
      return size;
    },
    alone: (socketId, task) =>
      run(socketId, line => {
        const result = line.tail.then(task);
        // The next task runs whether this one succeeds or not; its failure belongs to its own caller.
        const ended = result.then(nothing, nothing);
        line.tail = ended;
        line.gate = ended;
        return result;
      }),
    inOrder: (socketId, task) =>
      run(socketId, line => {
        const result = line.gate ? line.gate.then(task) : task();
        // One that was refused ends before those that began earlier.
        const before = line.tail;
        line.tail = result.then(nothing, nothing).then(() => before);
        return result;
      }),
  };
}

function nothing(): void {
  // Both outcomes of a task end it.
}
