import { describe, expect, test } from '@jest/globals';
import type { Status } from '@rapport/contracts';
import fc from 'fast-check';
import { lastSeen, statusOf, type Device } from '../src/status.ts';

const device = (away = false, endedAt?: number, countsUntil?: number): Device => ({ away, endedAt, countsUntil });
const shown = (devices: Device[], more: { dnd?: boolean; shown?: Status; allReported?: boolean; now?: number } = {}) =>
  statusOf({ devices, dnd: false, shown: 'online', allReported: true, ...more }, more.now ?? 0);

describe('which device wins', () => {
  test.each<[Status, Device[]]>([
    ['offline', []],
    ['online', [device()]],
    ['away', [device(true)]],
    ['away', [device(true), device(true)]],
    ['online', [device(true), device()]],
    ['online', [device(true), device(false, 10, 15)]],
    ['offline', [device(false, -10, -5), device(true, -5, 0)]],
    ['away', [device(true), device(false, -5, 0)]],
  ])('%s with %j', (expected, devices) => {
    expect(shown(devices)).toBe(expected);
  });

  test('dnd is of the person: it covers every device, and nobody is disturbed who is not there', () => {
    expect(shown([device(true), device()], { dnd: true })).toBe('dnd');
    expect(shown([device(true)], { dnd: true })).toBe('dnd');
    expect(shown([device(false, 1, 5)], { dnd: true })).toBe('dnd');
    expect(shown([], { dnd: true })).toBe('offline');
  });
});

describe('while some gateway has not reported', () => {
  const unknown = { allReported: false };

  test('nobody is shown less present than before', () => {
    expect(shown([], unknown)).toBe('online');
    expect(shown([], { ...unknown, shown: 'away' })).toBe('away');
    expect(shown([device(true)], unknown)).toBe('online');
    expect(shown([], { ...unknown, shown: 'dnd', dnd: true })).toBe('dnd');
    expect(shown([], { ...unknown, shown: 'offline' })).toBe('offline');
  });

  test('who is more present is shown so', () => {
    expect(shown([device()], { ...unknown, shown: 'away' })).toBe('online');
    expect(shown([device(true)], { ...unknown, shown: 'offline' })).toBe('away');
    expect(shown([device(true)], { ...unknown, shown: 'away', dnd: true })).toBe('dnd');
  });
});

test('who has gone was last seen when the last session ended', () => {
  expect(lastSeen([device(), device(true, 7, 12), device(false, 9, 10)])).toBe(9);
  expect(lastSeen([device()])).toBeUndefined();
});

describe('against a model that remembers whole histories', () => {
  const GRACE = 5_000;
  const LEASE = 15_000;
  const session = fc
    .record({ from: fc.nat(60_000), lives: fc.option(fc.nat(60_000)), isLost: fc.boolean(), away: fc.boolean() })
    .map(({ from, lives, isLost, away }) => ({ from, to: lives === null ? undefined : from + lives, isLost, away }));
  const histories = fc.array(session, { maxLength: 6 });

  /** The rule in its own words: a session is there from its beginning until its grace is over. */
  const model = (sessions: { from: number; to: number | undefined; isLost: boolean; away: boolean }[], at: number) => {
    const there = sessions.filter(
      ({ from, to, isLost }) => from <= at && (to === undefined || at < to + (isLost ? LEASE : GRACE)),
    );
    if (there.length === 0) return 'offline';
    return there.some(({ away }) => !away) ? 'online' : 'away';
  };

  test('the status is what the history says, at any moment', () => {
    fc.assert(
      fc.property(histories, fc.nat(150_000), fc.boolean(), (sessions, at, dnd) => {
        const devices = sessions
          .filter(({ from }) => from <= at)
          .map(({ to, isLost, away }) =>
            to === undefined || to > at ? device(away) : device(away, to, to + (isLost ? LEASE : GRACE)),
          );
        const expected = model(sessions, at);
        expect(statusOf({ devices, dnd, shown: 'offline', allReported: true }, at)).toBe(
          dnd && expected !== 'offline' ? 'dnd' : expected,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('nobody is ever offline while a session lives, or online when all have been over for 15 seconds', () => {
    fc.assert(
      fc.property(histories, fc.nat(150_000), (sessions, at) => {
        const lives = sessions.some(({ from, to }) => from <= at && (to === undefined || to > at));
        const over = sessions.every(({ from, to }) => from > at || (to !== undefined && to + LEASE <= at));
        const status = model(sessions, at);
        expect(lives && status === 'offline').toBe(false);
        expect(over && status !== 'offline').toBe(false);
      }),
    );
  });

  test('with gateways that have not reported, the status is never below what was shown', () => {
    const rank = { offline: 0, away: 1, online: 2, dnd: 2 };
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ away: fc.boolean(), endedAt: fc.constant(undefined), countsUntil: fc.constant(undefined) }),
        ),
        fc.constantFrom<Status>('offline', 'away', 'online', 'dnd'),
        fc.boolean(),
        (devices, before, dnd) => {
          const status = statusOf({ devices, dnd, shown: before, allReported: false }, 0);
          expect(rank[status]).toBeGreaterThanOrEqual(rank[before]);
        },
      ),
    );
  });
});
