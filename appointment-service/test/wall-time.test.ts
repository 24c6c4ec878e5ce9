import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { datesBetween, dayOf, momentOf, moveWallTime, wallDistance, wallTimeOf } from '../src/wall-time.ts';

describe('a wall time', () => {
  test.each([
    // Clocks go forward: 02:30 is not there, and is read with the offset from before.
    ['2027-03-28T02:30', 'Europe/Berlin', '2027-03-28T01:30:00.000Z', 'skipped', '03:30'],
    ['2027-03-14T02:30', 'America/New_York', '2027-03-14T07:30:00.000Z', 'skipped', '03:30'],
    ['2026-10-04T02:15', 'Australia/Lord_Howe', '2026-10-03T15:45:00.000Z', 'skipped', '02:45'],
    // Clocks go back: 02:30 is there twice, and the first is meant.
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z', 'repeated', '02:30'],
    ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00.000Z', 'repeated', '01:30'],
    ['2027-04-04T01:45', 'Australia/Lord_Howe', '2027-04-03T14:45:00.000Z', 'repeated', '01:45'],
    // Right beside the change, and where there is none.
    ['2027-03-28T01:59', 'Europe/Berlin', '2027-03-28T00:59:00.000Z', undefined, '01:59'],
    ['2027-03-28T03:00', 'Europe/Berlin', '2027-03-28T01:00:00.000Z', undefined, '03:00'],
    ['2026-10-25T03:00', 'Europe/Berlin', '2026-10-25T02:00:00.000Z', undefined, '03:00'],
    ['2027-04-04T02:00', 'Australia/Lord_Howe', '2027-04-03T15:30:00.000Z', undefined, '02:00'],
    ['2027-03-28T02:30', 'Asia/Kolkata', '2027-03-27T21:00:00.000Z', undefined, '02:30'],
  ])('%s in %s is one moment', (wall, zone, moment, rule, shown) => {
    const found = momentOf(wall, zone);
    expect([found.at.toISOString(), found.rule]).toEqual([moment, rule]);
    expect(wallTimeOf(found.at, zone).slice(11, 16)).toBe(shown);
  });

  test.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC'])(
    'of any moment in %s is read back as that moment, or as the first of two',
    zone => {
      const moments = fc.date({ min: new Date('2026-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
      fc.assert(
        fc.property(moments, moment => {
          const { at, rule } = momentOf(wallTimeOf(moment, zone), zone);
          const isSame = at.getTime() === moment.getTime();
          expect(isSame || (rule === 'repeated' && at < moment)).toBe(true);
        }),
      );
    },
  );

  test('moves by the distance to another', () => {
    const [from, to] = ['2026-10-24T09:00:00.000', '2026-10-26T10:30:00.000'];
    expect(moveWallTime(from, wallDistance(from, to))).toBe(to);
    expect(moveWallTime(to, wallDistance(to, from))).toBe(from);
  });
});

test('a day has 23, 24, 24½ or 25 hours', () => {
  const hours = (date: string, zone: string) => {
    const { start, end } = dayOf(date, zone);
    return (end.getTime() - start.getTime()) / 3_600_000;
  };
  expect(hours('2027-03-28', 'Europe/Berlin')).toBe(23);
  expect(hours('2026-10-25', 'Europe/Berlin')).toBe(25);
  expect(hours('2027-04-04', 'Australia/Lord_Howe')).toBe(24.5);
  expect(hours('2027-03-28', 'Asia/Kolkata')).toBe(24);
});

test('dates are those that the clock of the zone shows', () => {
  const [from, to] = [new Date('2026-12-31T23:30:00Z'), new Date('2027-01-01T23:30:00Z')];
  expect(datesBetween(from, to, 'Europe/Berlin')).toEqual([
    { date: '2027-01-01', weekday: 5 },
    { date: '2027-01-02', weekday: 6 },
  ]);
  expect(datesBetween(from, to, 'America/New_York').map(({ date }) => date)).toEqual(['2026-12-31', '2027-01-01']);
});
