export interface Lanes<Item, Result> {
  /** Resolves with the result of the item, or rejects with what its whole batch failed with. */
  add(item: Item): Promise<Result>;
}

/**
 * Collects what arrives while a batch is under way into the next one. Items of one key go through one lane, one
 * batch after the other, and keep their order.
 * @param options.run resolves to one result for each item, in their order
 */
export function createLanes<Item, Result>(options: {
  lanes: number;
  maxBatch: number;
  keyOf: (item: Item) => string;
  run: (batch: readonly Item[]) => Promise<readonly Result[]>;
}): Lanes<Item, Result> {
  const lanes = Array.from({ length: options.lanes }, () => createLane(options.run, options.maxBatch));
  return {
    add: item => {
      const lane = lanes[hashOf(options.keyOf(item)) % lanes.length];
      if (!lane) throw new Error('there are no lanes');
      return lane(item);
    },
  };
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

function createLane<Item, Result>(
  run: (batch: readonly Item[]) => Promise<readonly Result[]>,
  maxBatch: number,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let isRunning = false;

  const work = async (): Promise<void> => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(maxBatch);
      try {
        const results = await run(batch.map(({ item }) => item));
        for (const [index, { resolve, reject }] of batch.entries()) {
          if (index in results) resolve(results[index] as Result);
          else reject(new Error('a batch has fewer results than items'));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isRunning = false;
  };

  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // In the next turn, so that what came with the same packet is in the same batch.
      if (!isRunning) {
        isRunning = true;
        setImmediate(() => void work());
      }
    });
}

/** FNV-1a. */
function hashOf(key: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01_00_01_93);
  return hash >>> 0;
}
