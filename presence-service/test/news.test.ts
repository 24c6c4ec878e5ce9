import { expect, test } from '@jest/globals';
import type { Status } from '@rapport/contracts';
import { newsOf } from '../src/news.ts';

const told = (from: Status | undefined, to: Status, lastSeenAt: Date | null = null) =>
  newsOf({ userId: 'ann', from, to, lastSeenAt, version: 1 }).map(({ event, payload }) => [event, payload]);

test('who comes is online, and shows another status after that', () => {
  for (const from of ['offline', undefined] as const) {
    expect(told(from, 'online')).toEqual([['user:online', { userId: 'ann' }]]);
    expect(told(from, 'dnd')).toEqual([
      ['user:online', { userId: 'ann' }],
      ['user:presence', { userId: 'ann', status: 'dnd' }],
    ]);
  }
});

test('who is there and changes is not told of as coming', () => {
  expect(told('online', 'away')).toEqual([['user:presence', { userId: 'ann', status: 'away' }]]);
  expect(told('dnd', 'online')).toEqual([['user:presence', { userId: 'ann', status: 'online' }]]);
});

test('who goes is offline, with the time they were last seen if that may be known', () => {
  const lastSeenAt = new Date('2026-11-25T09:00:00.123Z');
  expect(told('away', 'offline', lastSeenAt)).toEqual([
    ['user:offline', { userId: 'ann', lastSeenAt: '2026-11-25T09:00:00.123Z' }],
  ]);
  expect(told(undefined, 'offline')).toEqual([['user:offline', { userId: 'ann', lastSeenAt: null }]]);
});
