import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AppError, type ErrorBody } from '@rapport/contracts';
import fc from 'fast-check';
import { createRateLimit, createSocketCount, type RateLimit } from '../src/rate-limits.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const pass = (milliseconds: number): void => {
  jest.advanceTimersByTime(milliseconds);
};

/** `undefined` when there was a token. */
function refusal(limit: RateLimit, key = 'alice'): ErrorBody | undefined {
  try {
    limit.take(key);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.toBody();
    throw error;
  }
}

const takeWhileThereIs = (limit: RateLimit, most = 10_000): number => {
  let taken = 0;
  while (taken < most && !refusal(limit)) taken += 1;
  return taken;
};

describe('a rate limit', () => {
  test('lets a burst through at once, and then what flows in', () => {
    const limit = createRateLimit('events', 300, 50);
    expect(takeWhileThereIs(limit)).toBe(300);
    pass(100);
    expect(takeWhileThereIs(limit)).toBe(5);
    pass(3_600_000);
    expect(takeWhileThereIs(limit)).toBe(300);
  });

  test('names the time after which the next one goes through, and not a millisecond less', () => {
    const limit = createRateLimit('events', 2, 4);
    expect(takeWhileThereIs(limit)).toBe(2);
    expect(refusal(limit)).toEqual({ code: 'RATE_LIMITED', message: expect.any(String), retryAfterMs: 250 });
    pass(248);
    expect(refusal(limit)).toMatchObject({ code: 'RATE_LIMITED' });
    pass(2);
    expect(refusal(limit)).toBeUndefined();
  });

  test('is kept for each key alone', () => {
    const limit = createRateLimit('events', 1, 1);
    expect(['alice', 'bob', 'alice', '__proto__', '__proto__'].map(key => refusal(limit, key)?.code)).toEqual([
      undefined,
      undefined,
      'RATE_LIMITED',
      undefined,
      'RATE_LIMITED',
    ]);
  });

  test.each([
    [0, 50],
    [300, 0],
    [0, 0],
  ])('of a burst of %d and %d a second is off where one is 0', (burst, perSecond) => {
    expect(takeWhileThereIs(createRateLimit('events', burst, perSecond))).toBe(10_000);
  });

  test('is the same after it has forgotten what it need not remember', () => {
    const limit = createRateLimit('events', 10, 10);
    takeWhileThereIs(limit);
    pass(500);
    limit.forget();
    expect(takeWhileThereIs(limit)).toBe(5);
    pass(1_000);
    limit.forget();
    expect(takeWhileThereIs(limit)).toBe(10);
  });

  test('never lets more through than burst and rate allow, and whoever waits as told gets through', () => {
    const waits = fc.array(fc.nat({ max: 2_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100 }), waits, (burst, perSecond, all) => {
        const limit = createRateLimit('events', burst, perSecond);
        let [taken, elapsed] = [0, 0];
        for (const wait of all) {
          pass(wait);
          elapsed += wait;
          taken += takeWhileThereIs(limit);
          expect(taken).toBeLessThanOrEqual(burst + (perSecond * elapsed) / 1_000 + 1e-6);
          limit.forget();
        }
        takeWhileThereIs(limit);
        pass(refusal(limit)?.retryAfterMs ?? 0);
        expect(refusal(limit)).toBeUndefined();
      }),
    );
  });
});

describe('a count of sockets', () => {
  test('refuses one too many with the time to wait, and takes it when another has gone', () => {
    const count = createSocketCount('user', 2);
    const leave = count.enter('alice');
    count.enter('alice');
    expect(() => count.enter('alice')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 5_000 }));
    expect(() => count.enter('bob')).not.toThrow();
    leave();
    expect(() => count.enter('alice')).not.toThrow();
  });

  test('of 0 refuses nobody', () => {
    const count = createSocketCount('user', 0);
    expect(() => {
      for (let sockets = 0; sockets < 1_000; sockets += 1) count.enter('alice');
    }).not.toThrow();
  });
});
