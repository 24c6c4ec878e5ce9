import { AppError } from '@rapport/contracts';

/** Something that waits to go with others. */
interface Waiting<Item, Result> {
  readonly item: Item;
  readonly keys: readonly string[];
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchQueue<Item, Result> {
  /**
   * Has the item go together with others.
   * @param keys what two items must not share to be under way at the same time: of the items with a common key, those
   *   that were added earlier go earlier, or in the same batch before the later ones
   * @throws AppError `UNAVAILABLE` at once when the queue is full; and whatever is its outcome
   */
  add(item: Item, keys: readonly string[], bytes: number): Promise<Result>;
  /** How many wait or are under way. */
  readonly size: number;
}

/** What became of an item of a batch: a result, or why there is none. */
export type Outcome<Result> = { readonly result: Result } | { readonly error: unknown };

export interface BatchQueueOptions<Item, Result> {
  /** Does a batch; the outcomes are in the order of its items. What it throws is the outcome of all of them. */
  readonly run: (items: readonly Item[]) => Promise<readonly Outcome<Result>[]>;
  /**
   * Batches under way at the same time: while one waits, another is prepared. More of them would be smaller, and each
   * costs what does not depend on its size.
   */
  readonly maxBatches?: number;
  /**
   * A batch that takes longer than this, in milliseconds, counts no more among those: whoever does it may have died, and
   * the others must not wait until that is known.
   */
  readonly slowAfterMs?: number;
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Of one key in a batch: who sends very many waits for themselves, and not those who share the batch with them. */
  readonly maxPerKey?: number;
}

const MAX_BATCHES = 4;
/** Up to so many items a batch takes about as long as one of a single item: it keeps back nothing. */
const SMALL = 64;
/** Much longer than a batch takes, and much shorter than whoever died is waited for. */
const SLOW_AFTER_MS = 1_000;
/**
 * A second or so of work, with what is under way: slow batches do not keep others from going, so what waits alone would
 * not be bounded by it. Who comes later is better told to try again.
 */
const MOST_HELD = 8_192;
const MOST_HELD_BYTES = 32 * 1_048_576;
const RETRY_AFTER_MS = 250;

/**
 * Gathers what arrives while batches are under way, and has it go as the next one as soon as it may: nothing waits for
 * a timer, and a single item goes at once unless a large batch is under way.
 */
export function createBatchQueue<Item, Result>(options: BatchQueueOptions<Item, Result>): BatchQueue<Item, Result> {
  const {
    run,
    maxBatches = MAX_BATCHES,
    slowAfterMs = SLOW_AFTER_MS,
    maxItems,
    maxBytes,
    maxPerKey = maxItems,
  } = options;
  type Entry = Waiting<Item, Result>;
  let waiting: Entry[] = [];
  let underWay = 0;
  /** Of what waits and what is under way. */
  let heldBytes = 0;
  let scheduled = false;
  const busy = new Set<string>();

  /** Sizes of the batches under way, without the slow ones. */
  const sizes: number[] = [];
  /** How many were added since the last look at what may go. */
  let fresh = 0;

  /** What may go now, in order. What may not keeps back everything later that shares a key with it. */
  const select = (): { taken: Entry[]; left: Entry[] } => {
    const taken: Entry[] = [];
    const left: Entry[] = [];
    const blocked = new Set<string>();
    const counts = new Map<string, number>();
    let bytes = 0;
    for (const entry of waiting) {
      const isFull = taken.length === maxItems || (taken.length > 0 && bytes + entry.bytes > maxBytes);
      const mustWait = entry.keys.some(key => busy.has(key) || blocked.has(key) || (counts.get(key) ?? 0) >= maxPerKey);
      if (isFull || mustWait) {
        for (const key of entry.keys) blocked.add(key);
        left.push(entry);
      } else {
        taken.push(entry);
        bytes += entry.bytes;
        for (const key of entry.keys) counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    return { taken, left };
  };

  /**
   * One that is much smaller than a large one under way waits to become larger: otherwise what comes under load would be
   * cut into many small ones.
   */
  const isLargeEnough = (size: number): boolean => {
    const largest = Math.max(...sizes, 0);
    return size > 0 && (largest <= SMALL || size * 2 >= largest);
  };

  const start = (): void => {
    scheduled = false;
    fresh = 0;
    while (sizes.length < maxBatches && isLargeEnough(waiting.length)) {
      const { taken, left } = select();
      if (!isLargeEnough(taken.length)) return;
      waiting = left;
      void go(taken);
    }
  };

  const go = async (batch: readonly Entry[]): Promise<void> => {
    const end = count(batch.length);
    underWay += batch.length;
    for (const key of batch.flatMap(({ keys }) => keys)) busy.add(key);
    try {
      const outcomes = await run(batch.map(({ item }) => item));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index] ?? { error: new Error('an item of a batch has no outcome') };
        if ('error' in outcome) reject(outcome.error);
        else resolve(outcome.result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    for (const key of batch.flatMap(({ keys }) => keys)) busy.delete(key);
    underWay -= batch.length;
    heldBytes -= batch.reduce((sum, { bytes }) => sum + bytes, 0);
    end();
    start();
  };

  /** Counts a batch until it ends or turns out to be slow. */
  const count = (size: number): (() => void) => {
    sizes.push(size);
    let isCounted = true;
    const discount = (): void => {
      if (isCounted) sizes.splice(sizes.indexOf(size), 1);
      isCounted = false;
    };
    const timer = setTimeout(() => {
      discount();
      start();
    }, slowAfterMs);
    return () => {
      clearTimeout(timer);
      discount();
    };
  };

  return {
    get size() {
      return waiting.length + underWay;
    },
    add(item, keys, bytes) {
      if (waiting.length + underWay >= MOST_HELD || heldBytes + bytes > MOST_HELD_BYTES) {
        return Promise.reject(
          new AppError('UNAVAILABLE', 'too many requests are waiting', { retryAfterMs: RETRY_AFTER_MS }),
        );
      }
      const result = new Promise<Result>((resolve, reject) => waiting.push({ item, keys, bytes, resolve, reject }));
      heldBytes += bytes;
      fresh += 1;
      if (!scheduled && sizes.length < maxBatches && isLargeEnough(fresh)) {
        // What arrives in the same turn goes together: first all of it is handed over.
        scheduled = true;
        queueMicrotask(start);
      }
      return result;
    },
  };
}
