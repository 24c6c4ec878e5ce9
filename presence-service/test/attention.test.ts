import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { heardSince } from '../src/attention.ts';

const listening = (...times: number[]) =>
  times.reduce<ReturnType<typeof heardSince> | undefined>(heardSince, undefined)?.since;

test('who hears something every few seconds has been listening since the first time', () => {
  expect(listening(100)).toBe(100);
  expect(listening(100, 350, 5_350, 9_000)).toBe(100);
});

test('a longer pause, of the process or of what it hears with, begins it anew', () => {
  expect(listening(100, 5_101)).toBe(5_101);
  expect(listening(100, 200, 30_000, 30_250)).toBe(30_000);
});

test('nobody has been listening since before the last long pause', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { minLength: 1, maxLength: 20 }), gaps => {
      let at = 0;
      const times = gaps.map(gap => (at += gap));
      const afterPause = times.findLast((time, index) => time - (times[index - 1] ?? Number.NEGATIVE_INFINITY) > 5_000);
      expect(listening(...times)).toBe(afterPause);
    }),
  );
});
