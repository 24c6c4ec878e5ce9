import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Actor } from '@rapport/contracts';
import { createTyping, type Typing } from '../src/typing.ts';

const alice: Actor = { userId: 'alice', role: 'client' };

let told: string[];
let typing: Typing;

beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  typing = createTyping((actor, { recipientId, isTyping }) => {
    told.push(`${actor.userId} ${isTyping ? 'types' : 'stops'} to ${recipientId}`);
  });
});
afterEach(() => {
  jest.useRealTimers();
});

const note = (recipientId: string, isTyping = true, socketId = 'socket'): void =>
  typing.note(socketId, alice, { recipientId, isTyping });

test('the end is told after six seconds of silence, once', () => {
  note('bob');
  jest.advanceTimersByTime(5_999);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(told).toEqual(['alice stops to bob']);
  jest.advanceTimersByTime(60_000);
  typing.leave('socket');
  expect(told).toHaveLength(1);
});

test('who repeats that they type is still typing', () => {
  for (let repeats = 0; repeats < 5; repeats += 1) {
    note('bob');
    jest.advanceTimersByTime(5_000);
  }
  expect(told).toEqual([]);
  jest.advanceTimersByTime(1_000);
  expect(told).toEqual(['alice stops to bob']);
});

test('who told the end themself is not told for', () => {
  note('bob');
  note('bob', false);
  note('carol', false);
  jest.advanceTimersByTime(60_000);
  typing.leave('socket');
  expect(told).toEqual([]);
});

test('a socket that goes has stopped typing to everybody, at once and once', () => {
  note('bob');
  note('carol');
  note('dave', true, 'another socket');
  typing.leave('socket');
  expect(told).toEqual(['alice stops to bob', 'alice stops to carol']);
  typing.leave('socket');
  jest.advanceTimersByTime(6_000);
  expect(told).toEqual(['alice stops to bob', 'alice stops to carol', 'alice stops to dave']);
});

test('no timer is left when nobody types', () => {
  note('bob');
  note('carol');
  note('bob', false);
  typing.leave('socket');
  typing.leave('a socket that never typed');
  expect(jest.getTimerCount()).toBe(0);
});
