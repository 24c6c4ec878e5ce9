import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { barrier, connected, emit, next, runningStack, STACK_TIMEOUT_MS } from './kit.ts';

const TYPING_TIMEOUT_MS = 6_000;

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2 } });
}, STACK_TIMEOUT_MS);

const types = (from: Socket, recipientId: string, isTyping = true) =>
  emit(from, 'message:typing', { recipientId, isTyping });

/** Who types to the socket, and who has stopped, from now on. */
function toldTo(socket: Socket): [unknown, unknown][] {
  const told: [unknown, unknown][] = [];
  socket.on('user:typing', ({ userId, isTyping }) => told.push([userId, isTyping]));
  return told;
}

test('after six seconds of silence the server says that typing has ended, once', async () => {
  const [writer, reader] = await Promise.all([connected(stack, 'w-1'), connected(stack, 'r-1', { gateway: 1 })]);
  const told = toldTo(reader);
  const started = next(reader, 'user:typing');
  await types(writer, 'r-1');
  expect(await started).toEqual({ userId: 'w-1', isTyping: true });
  const from = performance.now();
  expect(await next(reader, 'user:typing')).toEqual({ userId: 'w-1', isTyping: false });
  expect(performance.now() - from).toBeGreaterThan(TYPING_TIMEOUT_MS - 1_000);
  await barrier(await connected(stack, 'x-1'), reader, 'r-1');
  expect(told.map(([userId]) => userId)).toEqual(['w-1', 'w-1', 'x-1']);
});

test('when the socket goes, in an orderly way or not, the server says so at once to everybody it typed to', async () => {
  const readers = await Promise.all(['r-2', 'r-2b'].map(user => connected(stack, user, { gateway: 1 })));
  for (const leave of [(socket: Socket) => socket.disconnect(), (socket: Socket) => socket.io.engine.close()]) {
    const writer = await connected(stack, 'w-2');
    writer.io.reconnection(false);
    const started = readers.map(reader => next(reader, 'user:typing'));
    await Promise.all([types(writer, 'r-2'), types(writer, 'r-2b')]);
    await Promise.all(started);
    const ended = readers.map(reader => next(reader, 'user:typing'));
    const from = performance.now();
    leave(writer);
    for (const notice of await Promise.all(ended)) expect(notice).toEqual({ userId: 'w-2', isTyping: false });
    expect(performance.now() - from).toBeLessThan(TYPING_TIMEOUT_MS - 1_000);
  }
});

test('who goes before they have the answer has stopped as well', async () => {
  const [writer, reader] = await Promise.all([connected(stack, 'w-3'), connected(stack, 'r-3', { gateway: 1 })]);
  const told = toldTo(reader);
  writer.emit('message:typing', { recipientId: 'r-3', isTyping: true });
  writer.disconnect();
  await until(() => told.some(([, isTyping]) => isTyping === false));
  expect(told.slice(0, 2)).toEqual([
    ['w-3', true],
    ['w-3', false],
  ]);
});

test('who says themself that they stopped, or repeats that they type, is not spoken for', async () => {
  const [writer, reader] = await Promise.all([connected(stack, 'w-4'), connected(stack, 'r-4')]);
  const told = toldTo(reader);
  await types(writer, 'r-4');
  await types(writer, 'r-4');
  await types(writer, 'r-4', false);
  writer.disconnect();
  await barrier(await connected(stack, 'x-4'), reader, 'r-4');
  expect(told).toEqual([
    ['w-4', true],
    ['w-4', true],
    ['w-4', false],
    ['x-4', true],
  ]);
});
