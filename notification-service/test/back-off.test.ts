import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextAttempt } from '../src/back-off.ts';
import { verdictOn } from '../src/claim-deliveries.ts';

const NOW = new Date('2026-11-25T10:00:00Z');
const waitOf = (attempts: number, random: number): number =>
  nextAttempt(NOW, attempts, 10_000, random).getTime() - NOW.getTime();

test('each wait is twice the one before, up to an hour', () => {
  expect([1, 2, 3, 9, 10, 14].map(attempts => waitOf(attempts, 1))).toEqual([
    10_000, 20_000, 40_000, 2_560_000, 3_600_000, 3_600_000,
  ]);
});

test('jitter spreads over the second half of the wait', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, random) => {
      expect(waitOf(attempts, random)).toBeGreaterThanOrEqual(waitOf(attempts, 1) / 2 - 1);
      expect(waitOf(attempts, random)).toBeLessThanOrEqual(waitOf(attempts, 1));
    }),
  );
});

test('a failure is tried again until it is a dead letter, a refusal is one at once', () => {
  const failed = { kind: 'failed', code: 'smtp_450' } as const;
  expect(verdictOn(failed, { attempts: 13 }, NOW, 10_000, 0)).toMatchObject({ state: 'pending', attempts: 13 });
  expect(verdictOn(failed, { attempts: 14 }, NOW, 10_000, 0)).toEqual({ state: 'dead', error: 'smtp_450' });
  expect(verdictOn({ kind: 'refused', code: 'smtp_550' }, { attempts: 1 }, NOW, 10_000, 0)).toEqual({
    state: 'dead',
    error: 'smtp_550',
  });
});

test('while the channel is out no attempt is counted', () => {
  const outage = { kind: 'outage', code: 'ESOCKET' } as const;
  expect(verdictOn(outage, { attempts: 14 }, NOW, 10_000, 0)).toEqual({
    state: 'pending',
    error: 'ESOCKET',
    at: NOW,
    attempts: 13,
  });
});
