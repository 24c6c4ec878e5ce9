import { expect, test } from '@jest/globals';
import { createBackOff } from '../src/database/back-off.ts';

const backOff = (mostIds = 10) => createBackOff({ firstMs: 1_000, mostMs: 5_000, mostIds });

test('what failed is left alone, twice as long after each failure, up to the most', () => {
  const failures = backOff();
  let now = 0;
  const rests: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    failures.failed('a', now);
    let rest = 0;
    while (failures.resting(now + rest).includes('a')) rest += 500;
    rests.push(rest);
    now += rest;
  }
  expect(rests).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
});

test('each rests by itself, and what succeeded begins anew', () => {
  const failures = backOff();
  failures.failed('a', 0);
  failures.failed('a', 1_000);
  failures.failed('b', 1_000);
  expect(failures.resting(2_500)).toEqual(['a']);
  failures.succeeded('a');
  expect(failures.resting(1_500)).toEqual(['b']);
  failures.failed('a', 3_000);
  expect(failures.resting(4_000)).toEqual([]);
});

test('no more are remembered than there is room for', () => {
  const failures = backOff(2);
  for (const id of ['a', 'b', 'c']) failures.failed(id, 0);
  expect(failures.resting(1)).toEqual(['b', 'c']);
});
