import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { quietUntil } from '../src/quiet-hours.ts';

const NIGHT = { start: '22:00', end: '07:00' };
const BERLIN = 'Europe/Berlin';

/** In UTC, as the ends are expected too. */
const until = (now: string, hours: { start: string; end: string }, zone = BERLIN) =>
  quietUntil(new Date(`${now}Z`), hours, zone)
    ?.toISOString()
    .replace(/:00\.000Z$/, '');

describe('over midnight', () => {
  test.each([
    ['2026-11-25T20:59', undefined],
    ['2026-11-25T21:00', '2026-11-26T06:00'],
    ['2026-11-25T23:30', '2026-11-26T06:00'],
    ['2026-11-26T05:59', '2026-11-26T06:00'],
    ['2026-11-26T06:00', undefined],
  ])('at %s UTC they end at %s', (now, end) => expect(until(now, NIGHT)).toBe(end));
});

describe('within a day', () => {
  const lunch = { start: '12:00', end: '13:30' };
  test.each([
    ['2026-11-25T10:59', undefined],
    ['2026-11-25T11:00', '2026-11-25T12:30'],
    ['2026-11-25T12:29', '2026-11-25T12:30'],
    ['2026-11-25T12:30', undefined],
  ])('at %s UTC they end at %s', (now, end) => expect(until(now, lunch)).toBe(end));
});

describe('when the clocks change', () => {
  test.each([
    // Spring, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC. The night is an hour shorter.
    ['the night before summer time', '2026-03-28T21:00', NIGHT, BERLIN, '2026-03-29T05:00'],
    // Autumn, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC. The night is an hour longer.
    ['the night before winter time', '2026-10-24T20:00', NIGHT, BERLIN, '2026-10-25T06:00'],
    [
      'an end that is skipped: over when the clock jumps',
      '2026-03-29T00:30',
      { start: '22:00', end: '02:30' },
      BERLIN,
      '2026-03-29T01:00',
    ],
    ['an end that is skipped, and over', '2026-03-29T01:00', { start: '22:00', end: '02:30' }, BERLIN, undefined],
    [
      'a start that is skipped: from the jump on',
      '2026-03-29T01:00',
      { start: '02:30', end: '04:00' },
      BERLIN,
      '2026-03-29T02:00',
    ],
    [
      'an end that comes twice: the first time',
      '2026-10-25T00:10',
      { start: '22:00', end: '02:30' },
      BERLIN,
      '2026-10-25T00:30',
    ],
    ['between the two: quiet hours are over', '2026-10-25T00:45', { start: '22:00', end: '02:30' }, BERLIN, undefined],
    [
      'the hour again: the clock says so',
      '2026-10-25T01:10',
      { start: '22:00', end: '02:30' },
      BERLIN,
      '2026-10-25T01:30',
    ],
    // Lord Howe Island changes by half an hour.
    [
      'a change by half an hour',
      '2026-10-03T15:00',
      { start: '23:00', end: '02:15' },
      'Australia/Lord_Howe',
      '2026-10-03T15:30',
    ],
    // Samoa left out 30 December 2011.
    ['a day that is left out', '2011-12-30T09:30', NIGHT, 'Pacific/Apia', '2011-12-30T17:00'],
  ])('%s', (_what, now, hours, zone, end) => expect(until(now, hours, zone)).toBe(end));
});

test('every minute until the end is quiet, the end itself is not, and it comes within 25 hours, in any zone', () => {
  const minutes = fc.integer({ min: 0, max: 1_439 });
  const wall = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'Africa/Casablanca',
    'UTC',
  ];
  const start2026 = Date.UTC(2026, 0, 1) / 60_000;
  fc.assert(
    fc.property(
      minutes,
      minutes,
      fc.constantFrom(...zones),
      fc.integer({ min: 0, max: 525_600 }),
      (from, to, zone, at) => {
        fc.pre(from !== to);
        const hours = { start: wall(from), end: wall(to) };
        const now = (start2026 + at) * 60_000;
        const end = quietUntil(new Date(now), hours, zone)?.getTime();
        if (end === undefined) return;
        expect(end).toBeGreaterThan(now);
        expect(end - now).toBeLessThanOrEqual(25 * 3_600_000);
        expect(quietUntil(new Date(end), hours, zone)).toBeUndefined();
        const middle = now + Math.floor((end - now) / 2);
        expect(quietUntil(new Date(middle), hours, zone)?.getTime()).toBe(end);
      },
    ),
    { numRuns: 2_000 },
  );
});
