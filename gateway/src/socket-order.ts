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
  /** What waits for its turn, in order. */
  readonly waiting: Waiting[];
  running: number;
  /** Whether what runs wants to be alone. */
  isAlone: boolean;
}

interface Waiting {
  readonly alone: boolean;
  readonly begin: () => void;
}

/** The order in which the requests of one socket reach the services. */
export function createSocketOrder(): SocketOrder {
  const lines = new Map<string, Line>();
  let size = 0;

  const begin = <T>(socketId: string, line: Line, alone: boolean, task: () => Promise<T>): Promise<T> => {
    line.running += 1;
    line.isAlone = alone;
    const end = (): void => {
      line.running -= 1;
      line.isAlone = false;
      size -= 1;
      beginNext(line);
      if (line.running === 0) lines.delete(socketId);
    };
    // What the task throws at once is its outcome too.
    const result = new Promise<T>(resolve => resolve(task()));
    // The next one begins whether this one succeeds or not; its failure belongs to its own caller.
    result.then(end, end);
    return result;
  };

  const run = <T>(socketId: string, alone: boolean, task: () => Promise<T>): Promise<T> => {
    const line = lines.get(socketId) ?? { waiting: [], running: 0, isAlone: false };
    if (line.waiting.length + line.running >= MAX_WAITING) {
      return Promise.reject(
        new AppError('UNAVAILABLE', 'too many requests of this socket are waiting', { retryAfterMs: RETRY_AFTER_MS }),
      );
    }
    lines.set(socketId, line);
    size += 1;
    if (line.waiting.length === 0 && mayBegin(line, alone)) return begin(socketId, line, alone, task);
    return new Promise((resolve, reject) =>
      line.waiting.push({ alone, begin: () => void begin(socketId, line, alone, task).then(resolve, reject) }),
    );
  };

  return {
    get size() {
      return size;
    },
    alone: (socketId, task) => run(socketId, true, task),
    inOrder: (socketId, task) => run(socketId, false, task),
  };
}

function beginNext(line: Line): void {
  for (let next = line.waiting[0]; next && mayBegin(line, next.alone); next = line.waiting[0]) {
    line.waiting.shift();
    next.begin();
  }
}

function mayBegin({ running, isAlone }: Line, alone: boolean): boolean {
  return alone ? running === 0 : !isAlone;
}
