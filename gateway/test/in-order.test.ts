import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Delivery } from '@rapport/bus';
import fc from 'fast-check';
import { createInOrder, type InOrder } from '../src/in-order.ts';

let relayed: string[];
let inOrder: InOrder;

beforeEach(() => {
  jest.useFakeTimers();
  relayed = [];
  inOrder = createInOrder((room, { text }) => relayed.push(`${room}: ${text}`));
});
afterEach(() => {
  jest.useRealTimers();
});

const delivery = (from: number, line = 'c-1'): Delivery => ({
  event: 'message:received',
  text: String(from + 1),
  except: undefined,
  order: { line, from, to: from + 1 },
});
const pass = (from: number, { room = 'bob', line = 'c-1' } = {}): void =>
  inOrder.pass(room, delivery(from, line), Date.now());

/** A conversation in which everything has come up to 6. */
const begun = (): void => {
  pass(6);
  jest.advanceTimersByTime(100);
  relayed.length = 0;
};

test('what comes in order is relayed at once', () => {
  for (const from of [0, 1, 2]) pass(from);
  expect(relayed).toEqual(['bob: 1', 'bob: 2', 'bob: 3']);
  expect(jest.getTimerCount()).toBe(0);
});

test('what overtook another waits for it', () => {
  begun();
  for (const from of [7, 10, 9]) pass(from);
  expect(relayed).toEqual(['bob: 8']);
  expect(inOrder.held).toBe(2);
  pass(8);
  expect(relayed).toEqual(['bob: 8', 'bob: 9', 'bob: 10', 'bob: 11']);
  expect([inOrder.held, jest.getTimerCount()]).toEqual([0, 0]);
});

test('what is waited for in vain is left out after a quarter of a second, and may still come later', () => {
  begun();
  for (const from of [9, 8]) pass(from);
  jest.advanceTimersByTime(249);
  expect(relayed).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(relayed).toEqual(['bob: 9', 'bob: 10']);
  pass(10);
  pass(7);
  expect(relayed).toEqual(['bob: 9', 'bob: 10', 'bob: 11', 'bob: 8']);
  expect(inOrder.held).toBe(0);
});

test('the first that is seen of a conversation waits a moment for one that it may have overtaken', () => {
  pass(7);
  pass(6);
  jest.advanceTimersByTime(99);
  expect(relayed).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(relayed).toEqual(['bob: 7', 'bob: 8']);
});

test('the very first of a conversation waits for nothing, and what overtook it waits for it', () => {
  pass(1);
  pass(0);
  expect(relayed).toEqual(['bob: 1', 'bob: 2']);
});

test('what comes again is relayed again', () => {
  for (const from of [0, 1, 0, 1]) pass(from);
  expect(relayed).toEqual(['bob: 1', 'bob: 2', 'bob: 1', 'bob: 2']);
});

test('each conversation of each room has an order of its own', () => {
  pass(0);
  pass(8);
  pass(0, { line: 'c-2' });
  pass(0, { room: 'alice' });
  expect(relayed).toEqual(['bob: 1', 'bob: 1', 'alice: 1']);
});

test('what has no order is relayed at once, but stays behind what it came after', () => {
  const typing = (room: string): void =>
    inOrder.pass(room, { event: 'user:typing', text: 'typing', except: undefined, order: undefined }, Date.now());
  begun();
  typing('bob');
  pass(8);
  typing('bob');
  typing('alice');
  expect(relayed).toEqual(['bob: typing', 'alice: typing']);
  pass(7);
  expect(relayed.slice(2)).toEqual(['bob: 8', 'bob: 9', 'bob: typing']);
  typing('bob');
  expect([relayed.length, inOrder.held]).toEqual([6, 0]);
});

test('a conversation in which nothing comes for ten minutes is forgotten', () => {
  begun();
  jest.advanceTimersByTime(599_000);
  inOrder.forget(Date.now());
  pass(7);
  expect(relayed).toEqual(['bob: 8']);
  jest.advanceTimersByTime(600_001);
  inOrder.forget(Date.now());
  pass(8);
  expect(relayed).toEqual(['bob: 8']);
});

test('who comes back to a room that was left waits for nothing that came meanwhile', () => {
  begun();
  pass(8);
  inOrder.leave('bob');
  inOrder.leave('nobody');
  expect([inOrder.held, jest.getTimerCount()]).toEqual([0, 0]);
  relayed.length = 0;
  pass(20);
  jest.advanceTimersByTime(100);
  expect(relayed).toEqual(['bob: 21']);
});

test('however they overtake each other, all are relayed, in order', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }), froms => {
      const texts: number[] = [];
      const own = createInOrder((_room, { text }) => texts.push(Number(text)));
      for (const from of froms) own.pass('bob', delivery(from), 0);
      expect(texts).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(own.held).toBe(0);
    }),
  );
});

test('where more is held than there is room for, nothing waits any more', () => {
  begun();
  for (let from = 8; from < 10_010; from += 1) pass(from);
  expect(inOrder.held).toBeLessThanOrEqual(10_000);
  expect(relayed.length + inOrder.held).toBe(10_002);
});
