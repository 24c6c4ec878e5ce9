import { expect, test } from '@jest/globals';
import { AppError } from '@rapport/contracts';
import { createLanes } from '../src/lanes.ts';

test('the tasks of one key run one after the other, in the order they were handed in', async () => {
  const lanes = createLanes();
  const order: number[] = [];
  let running = 0;
  const task = (index: number) => async () => {
    running += 1;
    expect(running).toBe(1);
    // The later the task, the sooner it would be done.
    for (let turns = 10 - index; turns > 0; turns -= 1) await Promise.resolve();
    order.push(index);
    running -= 1;
    return index;
  };
  const all = [...Array(10).keys()].map(index => lanes.run('socket', task(index)));
  await expect(Promise.all(all)).resolves.toEqual([...Array(10).keys()]);
  expect(order).toEqual([...Array(10).keys()]);
});

test('a task that waits holds up its own key only', async () => {
  const lanes = createLanes();
  const gate = Promise.withResolvers<string>();
  const held = lanes.run('one', () => gate.promise);
  await expect(lanes.run('other', () => Promise.resolve('done'))).resolves.toBe('done');
  gate.resolve('released');
  await expect(held).resolves.toBe('released');
});

test('a task that fails fails for its own caller, and the next one runs', async () => {
  const lanes = createLanes();
  const failing = lanes.run('socket', () => Promise.reject(new Error('refused')));
  const throwing = lanes.run('socket', () => {
    throw new Error('broken');
  });
  const next = lanes.run('socket', () => Promise.resolve('done'));
  await expect(failing).rejects.toThrow('refused');
  await expect(throwing).rejects.toThrow('broken');
  await expect(next).resolves.toBe('done');
});

test('a full lane refuses at once with UNAVAILABLE, and takes tasks again when there is room', async () => {
  const lanes = createLanes();
  const gate = Promise.withResolvers<void>();
  const waiting: Promise<void>[] = [];
  const outcomes: unknown[] = [];
  // Far more than any lane should hold: 64 KiB each.
  for (let count = 0; count < 10_000 && outcomes.length === 0; count += 1) {
    const size = lanes.size;
    const task = lanes.run('socket', () => gate.promise);
    if (lanes.size > size) waiting.push(task);
    else outcomes.push(await task.catch((error: unknown) => error));
  }
  const [refusal] = outcomes;
  expect(refusal).toBeInstanceOf(AppError);
  expect((refusal as AppError).toBody()).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  await expect(lanes.run('another', () => Promise.resolve('done'))).resolves.toBe('done');
  gate.resolve();
  await Promise.all(waiting);
  await expect(lanes.run('socket', () => Promise.resolve('done'))).resolves.toBe('done');
});

test('a lane holds at least the burst of 300 that a socket may send by the contract', async () => {
  const lanes = createLanes();
  const gate = Promise.withResolvers<void>();
  const all = Array.from({ length: 300 }, () => lanes.run('socket', () => gate.promise));
  gate.resolve();
  await expect(Promise.all(all)).resolves.toHaveLength(300);
});

test('nothing is kept of a lane that is empty', async () => {
  const lanes = createLanes();
  const tasks = ['a', 'b', 'a'].map(key => lanes.run(key, () => Promise.reject(new Error('refused'))));
  expect(lanes.size).toBe(3);
  await Promise.allSettled(tasks);
  expect(lanes.size).toBe(0);
});
