import { expect, test } from '@jest/globals';
import { AppError, BATCH_LIMITS } from '@rapport/contracts';
import { createLanes } from '../src/lanes.ts';

interface Sent {
  readonly bodies: readonly string[];
  readonly answer: (replies: string[]) => void;
  readonly fail: (error: Error) => void;
}

/** Lanes whose batches the test answers. */
function heldLanes() {
  const sent: Sent[] = [];
  const lanes = createLanes(bodies => {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    sent.push({ bodies, answer: resolve, fail: reject });
    return promise;
  });
  return { lanes, sent };
}

/** Lets everything run that does not wait for anything outside. */
const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('a request whose lane is free leaves at once, together with those of the same turn', async () => {
  const { lanes, sent } = heldLanes();
  const replies = ['one', 'two', 'three'].map(body => lanes.add('alice', body));
  await settle();
  expect(sent.map(({ bodies }) => bodies)).toEqual([['one', 'two', 'three']]);
  sent[0]!.answer(['1', '2', '3']);
  await expect(Promise.all(replies)).resolves.toEqual(['1', '2', '3']);
});

test('what comes while a batch is under way leaves as the next one, in order, when that is back', async () => {
  const { lanes, sent } = heldLanes();
  const first = lanes.add('alice', 'one');
  await settle();
  const later = ['two', 'three'].map(body => lanes.add('alice', body));
  await settle();
  expect(sent).toHaveLength(1);
  sent[0]!.answer(['1']);
  await expect(first).resolves.toBe('1');
  await settle();
  expect(sent[1]!.bodies).toEqual(['two', 'three']);
  sent[1]!.answer(['2', '3']);
  await expect(Promise.all(later)).resolves.toEqual(['2', '3']);
  expect(lanes.size).toBe(0);
});

test('a lane that waits does not hold up all others, and there is a bounded number of them', async () => {
  const { lanes, sent } = heldLanes();
  for (let number = 0; number < 1_000; number += 1)
    void lanes.add(`user-${number}`, `${number}`).catch(() => undefined);
  await settle();
  expect(sent.length).toBeGreaterThan(4);
  expect(sent.length).toBeLessThanOrEqual(64);
  expect(sent.flatMap(({ bodies }) => bodies)).toHaveLength(1_000);
});

test('a batch that fails fails for each of its requests, and the next one leaves', async () => {
  const { lanes, sent } = heldLanes();
  const [one, two] = [lanes.add('alice', 'one'), lanes.add('alice', 'two')];
  await settle();
  const three = lanes.add('alice', 'three');
  sent[0]!.fail(new AppError('UNAVAILABLE', 'not in time'));
  await expect(one).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(two).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await settle();
  sent[1]!.answer(['3']);
  await expect(three).resolves.toBe('3');
});

test('a batch is cut at what one message may hold, in number and in bytes', async () => {
  const { lanes, sent } = heldLanes();
  const answerAll = async (): Promise<number[]> => {
    const sizes: number[] = [];
    for (let index = 0; ; index += 1) {
      await settle();
      const batch = sent[index];
      if (!batch) return sizes;
      expect(batch.bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0)).toBeLessThanOrEqual(
        Math.max(BATCH_LIMITS.bytes, Buffer.byteLength(batch.bodies[0]!)),
      );
      sizes.push(batch.bodies.length);
      batch.answer([...batch.bodies]);
    }
  };
  const small = Array.from({ length: BATCH_LIMITS.items + 10 }, (_, index) => lanes.add('alice', `${index}`));
  expect(await answerAll()).toEqual([BATCH_LIMITS.items, 10]);
  await Promise.all(small);
  sent.length = 0;
  // Two bytes each in UTF-8.
  const large = Array.from({ length: 5 }, () => lanes.add('alice', 'é'.repeat(BATCH_LIMITS.bytes / 4)));
  expect(await answerAll()).toEqual([2, 2, 1]);
  await Promise.all(large);
});

test.each([
  ['requests', 'x'],
  ['bytes', 'x'.repeat(60_000)],
])('a lane that is full of %s refuses at once with UNAVAILABLE, and takes more when there is room', async (_, body) => {
  const { lanes, sent } = heldLanes();
  let refusal: unknown;
  const waiting: Promise<unknown>[] = [];
  while (refusal === undefined && waiting.length < 100_000) {
    const { size } = lanes;
    const adding = lanes.add('alice', body);
    if (lanes.size > size) waiting.push(adding);
    else refusal = await adding.catch((error: unknown) => error);
  }
  expect(refusal).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  expect(waiting.length).toBeGreaterThanOrEqual(100);
  for (let index = 0; ; index += 1) {
    await settle();
    const batch = sent[index];
    if (!batch) break;
    batch.answer(batch.bodies.map(() => 'done'));
  }
  await Promise.all(waiting);
  void lanes.add('alice', body);
  await settle();
  expect(sent.at(-1)!.bodies).toEqual([body]);
});
