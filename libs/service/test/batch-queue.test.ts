import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBatchQueue, type BatchQueueOptions } from '../src/batch-queue.ts';

interface Item {
  readonly number: number;
  readonly keys: readonly string[];
}

interface Batch {
  readonly items: readonly Item[];
  readonly end: () => void;
}

/** A queue whose batches are under way until the test ends them. Every item's result is its number. */
function heldQueue(options: Partial<BatchQueueOptions<Item, number>> = {}) {
  const batches: Batch[] = [];
  const queue = createBatchQueue<Item, number>({
    maxItems: 256,
    maxBytes: 1_000_000,
    run: async items => {
      const { promise, resolve } = Promise.withResolvers<void>();
      batches.push({ items, end: resolve });
      await promise;
      return items.map(({ number }) => (number % 10 === 9 ? { error: new Error('refused') } : { result: number }));
    },
    ...options,
  });
  let count = 0;
  const add = (...keys: string[]): Promise<number> => {
    const item = { number: (count += 1), keys };
    return queue.add(item, keys, 100);
  };
  return { queue, batches, add };
}

const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
const numbers = ({ items }: Batch): number[] => items.map(({ number }) => number);

test('what comes in one turn is one batch, and leaves at once', async () => {
  const { batches, add } = heldQueue();
  const results = [add('alice'), add('bob'), add('alice')];
  await settle();
  expect(batches.map(numbers)).toEqual([[1, 2, 3]]);
  batches[0]!.end();
  await expect(Promise.all(results)).resolves.toEqual([1, 2, 3]);
});

test('an item that shares a key with one that is being written waits, and others do not wait for it', async () => {
  const { batches, add } = heldQueue();
  void add('alice', 'alice bob');
  await settle();
  void add('bob', 'alice bob');
  void add('carol', 'carol dave');
  await settle();
  expect(batches.map(numbers)).toEqual([[1], [3]]);
  batches[0]!.end();
  await settle();
  expect(batches.map(numbers)).toEqual([[1], [3], [2]]);
});

test('what waits keeps back what comes later and shares a key with it', async () => {
  const { batches, add } = heldQueue();
  void add('alice', 'alice bob');
  await settle();
  void add('bob', 'alice bob');
  // Of bob too, in another conversation: it must not overtake.
  void add('bob', 'bob carol');
  await settle();
  expect(batches.map(numbers)).toEqual([[1]]);
  batches[0]!.end();
  await settle();
  expect(batches.map(numbers)).toEqual([[1], [2, 3]]);
});

test('a batch that would be much smaller than a large one under way waits until it is half as large', async () => {
  const { batches, add } = heldQueue();
  for (let count = 1; count <= 100; count += 1) void add(`user ${count}`);
  await settle();

  for (let count = 101; count < 150; count += 1) void add(`user ${count}`);
  await settle();
  expect(batches.map(({ items }) => items.length)).toEqual([100]);
  void add('user 150');
  await settle();
  expect(batches.map(({ items }) => items.length)).toEqual([100, 50]);
});

test('what is too little for a batch goes when the large one has ended', async () => {
  const { batches, add } = heldQueue();
  const results: Promise<number>[] = [];
  for (let count = 1; count <= 100; count += 1) results.push(add(`user ${count}`));
  await settle();
  // Those that may not go yet do not make it enough.
  for (let count = 1; count <= 60; count += 1) void add(`user ${count}`);
  void add('alice');
  await settle();
  expect(batches.map(({ items }) => items.length)).toEqual([100]);

  batches[0]!.end();
  await Promise.allSettled(results);
  await settle();
  expect(batches.map(({ items }) => items.length)).toEqual([100, 61]);
});

test('who sends very many has few of them in a batch, in their order, and others go with them', async () => {
  const { queue, batches, add } = heldQueue({ maxBatches: 2, maxPerKey: 2 });
  const all = [...Array.from({ length: 5 }, () => add('flood')), add('alice')];
  for (let index = 0; queue.size > 0; index += 1) {
    await settle();
    batches[index]!.end();
    await settle();
  }
  await Promise.all(all);
  expect(batches.map(numbers)).toEqual([[1, 2, 6], [3, 4], [5]]);
});

test('a batch that does not come back holds up what shares a key with it, and before long nothing else', async () => {
  const { queue, batches, add } = heldQueue({ maxBatches: 1, slowAfterMs: 10 });
  const stuck = add('alice');
  await settle();
  const [same, other] = [add('alice'), add('bob')];
  await settle();
  expect(batches.map(numbers)).toEqual([[1]]);
  while (batches.length < 2) await settle();
  expect(batches.map(numbers)).toEqual([[1], [3]]);
  for (const batch of batches) batch.end();
  await expect(Promise.all([stuck, other])).resolves.toEqual([1, 3]);
  await settle();
  batches[2]!.end();
  await expect(same).resolves.toBe(2);
  expect(queue.size).toBe(0);
});

test('each item has its own outcome, and a batch that throws fails for all of its items', async () => {
  const { batches, add } = heldQueue();
  const all = Promise.allSettled(Array.from({ length: 10 }, (_, index) => add(`${index}`)));
  await settle();
  batches[0]!.end();
  const outcomes = await all;
  expect(outcomes.map(({ status }) => status)).toEqual([...Array(8).fill('fulfilled'), 'rejected', 'fulfilled']);
  const failing = createBatchQueue<Item, number>({
    run: () => Promise.reject(new Error('the disk is full')),
    maxItems: 1,
    maxBytes: 1,
  });
  const both = [failing.add({ number: 1, keys: [] }, ['a'], 1), failing.add({ number: 2, keys: [] }, ['b'], 1)];
  for (const outcome of both) await expect(outcome).rejects.toThrow('the disk is full');
  expect(failing.size).toBe(0);
});

test('a batch is cut in number and in bytes, and holds one item whatever its size', async () => {
  const { queue, batches } = heldQueue({ maxItems: 3, maxBytes: 1_000, maxBatches: 1 });
  const sizes = [400, 400, 400, 2_000, 10, 10, 10, 10];
  const all = sizes.map((bytes, index) => queue.add({ number: index, keys: [] }, [`${index}`], bytes));
  for (let index = 0; queue.size > 0; index += 1) {
    await settle();
    batches[index]!.end();
    await settle();
  }
  await Promise.all(all);
  expect(batches.map(numbers)).toEqual([[0, 1, 4], [2, 5, 6], [3], [7]]);
});

test.each([
  ['number', 1],
  ['bytes', 100_000],
])(
  'a queue that is full refuses at once with UNAVAILABLE, in %s, and takes more when there is room',
  async (_, bytes) => {
    const { queue, batches } = heldQueue({ maxBatches: 1 });
    const added: Promise<unknown>[] = [];
    let refusal: unknown;
    while (refusal === undefined && added.length < 100_000) {
      const { size } = queue;
      const adding = queue.add({ number: 1, keys: [] }, ['a'], bytes);
      if (queue.size > size) added.push(adding);
      else refusal = await adding.catch((error: unknown) => error);
    }
    expect(refusal).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
    expect(added.length).toBeGreaterThanOrEqual(100);
    for (let index = 0; queue.size > 0; index += 1) {
      await settle();
      batches[index]?.end();
    }
    await Promise.all(added);
    void queue.add({ number: 1, keys: [] }, ['a'], bytes);
    await settle();
    expect(batches.at(-1)!.items).toHaveLength(1);
  },
);

test('batches that do not come back do not make the queue grow without end', async () => {
  const { queue, batches, add } = heldQueue({ slowAfterMs: 1 });
  let refusal: unknown;
  const refused = (error: unknown): void => void (refusal = error);
  while (refusal === undefined && queue.size < 20_000) {
    const before = batches.length;
    for (let count = 0; count < 256; count += 1) add(`user ${queue.size}`).catch(refused);
    // The next one goes when those before it have turned out to be slow.
    while (batches.length === before && refusal === undefined) await settle();
  }

  expect(refusal).toMatchObject({ code: 'UNAVAILABLE' });
  for (const { end } of batches) end();
});

test('whatever comes and whenever batches end: every item is written once, and those with a common key in order', async () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.tuple(key, key) }) },
    { weight: 2, arbitrary: fc.record({ end: fc.nat(10) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (steps, maxBatches) => {
      const { queue, batches, add } = heldQueue({ maxBatches, maxItems: 3 });
      const open = new Set<Batch>();
      const ended: Batch[] = [];
      const endOne = async (index: number): Promise<void> => {
        for (const batch of batches) if (!ended.includes(batch)) open.add(batch);
        const batch = [...open][index % Math.max(1, open.size)];
        if (!batch) return;
        open.delete(batch);
        ended.push(batch);
        batch.end();
        await settle();
      };
      const results: Promise<unknown>[] = [];
      for (const each of steps) {
        if ('add' in each) results.push(add(...each.add).catch(() => undefined));
        else {
          await settle();
          await endOne(each.end);
        }
        const underWay = batches.filter(batch => !ended.includes(batch));
        expect(underWay.length).toBeLessThanOrEqual(maxBatches);
        const keys = underWay.map(({ items }) => new Set(items.flatMap(item => item.keys)));
        for (const [index, one] of keys.entries()) {
          for (const other of keys.slice(index + 1)) expect([...one].filter(name => other.has(name))).toEqual([]);
        }
      }
      await settle();
      while (queue.size > 0) await endOne(0);
      await Promise.all(results);
      const written = batches.flatMap(({ items }) => items);
      expect(written.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: results.length }, (_, index) => index + 1),
      );
      for (const common of ['a', 'b', 'c', 'd', 'e']) {
        const ofKey = written.filter(({ keys }) => keys.includes(common)).map(({ number }) => number);
        expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
      }
    }),
    { numRuns: 200 },
  );
});
