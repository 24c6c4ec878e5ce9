import { expect, test } from '@jest/globals';
import { AppError } from '@rapport/contracts';
import { createSocketOrder } from '../src/socket-order.ts';

test('the tasks of one key run one after the other, in the order they were handed in', async () => {
  const order = createSocketOrder();
  const ended: number[] = [];
  let running = 0;
  const task = (index: number) => async () => {
    running += 1;
    expect(running).toBe(1);
    // The later the task, the sooner it would be done.
    for (let turns = 10 - index; turns > 0; turns -= 1) await Promise.resolve();
    ended.push(index);
    running -= 1;
    return index;
  };
  const all = [...Array(10).keys()].map(index => order.alone('socket', task(index)));
  await expect(Promise.all(all)).resolves.toEqual([...Array(10).keys()]);
  expect(ended).toEqual([...Array(10).keys()]);
});

test('a task that waits holds up its own key only', async () => {
  const order = createSocketOrder();
  const gate = Promise.withResolvers<string>();
  const held = order.alone('one', () => gate.promise);
  await expect(order.alone('other', () => Promise.resolve('done'))).resolves.toBe('done');
  gate.resolve('released');
  await expect(held).resolves.toBe('released');
});

test('a task that fails fails for its own caller, and the next one runs', async () => {
  const order = createSocketOrder();
  const failing = order.alone('socket', () => Promise.reject(new Error('refused')));
  const throwing = order.alone('socket', () => {
    throw new Error('broken');
  });
  const next = order.alone('socket', () => Promise.resolve('done'));
  await expect(failing).rejects.toThrow('refused');
  await expect(throwing).rejects.toThrow('broken');
  await expect(next).resolves.toBe('done');
});

test('a full lane refuses at once with UNAVAILABLE, and takes tasks again when there is room', async () => {
  const order = createSocketOrder();
  const gate = Promise.withResolvers<void>();
  const waiting: Promise<void>[] = [];
  const outcomes: unknown[] = [];
  // Far more than any lane should hold: 64 KiB each.
  for (let count = 0; count < 10_000 && outcomes.length === 0; count += 1) {
    const size = order.size;
    const task = order.alone('socket', () => gate.promise);
    if (order.size > size) waiting.push(task);
    else outcomes.push(await task.catch((error: unknown) => error));
  }
  const [refusal] = outcomes;
  expect(refusal).toBeInstanceOf(AppError);
  expect((refusal as AppError).toBody()).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  await expect(order.alone('another', () => Promise.resolve('done'))).resolves.toBe('done');
  gate.resolve();
  await Promise.all(waiting);
  await expect(order.alone('socket', () => Promise.resolve('done'))).resolves.toBe('done');
});

test('a lane holds at least the burst of 300 that a socket may send by the contract', async () => {
  const order = createSocketOrder();
  const gate = Promise.withResolvers<void>();
  const all = Array.from({ length: 300 }, () => order.alone('socket', () => gate.promise));
  gate.resolve();
  await expect(Promise.all(all)).resolves.toHaveLength(300);
});

test('nothing is kept of a lane that is empty', async () => {
  const order = createSocketOrder();
  const tasks = ['a', 'b', 'a'].map(key => order.alone(key, () => Promise.reject(new Error('refused'))));
  expect(order.size).toBe(3);
  await Promise.allSettled(tasks);
  expect(order.size).toBe(0);
});

test('tasks in order begin without waiting for each other, and one that runs alone waits for all of them', async () => {
  const order = createSocketOrder();
  const began: string[] = [];
  const gates = new Map<string, () => void>();
  const task = (name: string) => () => {
    began.push(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    gates.set(name, resolve);
    return promise;
  };
  const all = [
    order.inOrder('socket', task('one')),
    order.inOrder('socket', task('two')),
    order.alone('socket', task('alone')),
    order.inOrder('socket', task('three')),
    order.inOrder('socket', task('four')),
  ];
  const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
  await settle();
  expect(began).toEqual(['one', 'two']);
  // Whichever of them ends first.
  gates.get('two')!();
  await settle();
  expect(began).toEqual(['one', 'two']);
  gates.get('one')!();
  await settle();
  expect(began).toEqual(['one', 'two', 'alone']);
  gates.get('alone')!();
  await settle();
  expect(began).toEqual(['one', 'two', 'alone', 'three', 'four']);
  gates.get('three')!();
  gates.get('four')!();
  await Promise.all(all);
  expect(order.size).toBe(0);
});
