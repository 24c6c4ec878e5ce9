import { describe, expect, test } from '@jest/globals';
import { isEndless, occurrencesOf } from '../src/series.ts';
import { momentOf, wallTimeOf } from '../src/wall-time.ts';

function series(recurrence: string, wallStart: string, timeZone: string, until = '2028-12-01T00:00:00Z', moved = 0) {
  const { at } = momentOf(wallStart, timeZone);
  const rule = { recurrence, wallStart: wallTimeOf(at, timeZone), timeZone };
  const range = { after: new Date(at.getTime() - 1), until: new Date(until) };
  return occurrencesOf({ ...rule, wallStart: `${wallStart}:00.000` }, range, moved);
}
const moments = (found: ReturnType<typeof series>) => found.map(({ startAt }) => startAt.toISOString());

describe('a weekly 09:00 stays at 09:00', () => {
  test.each([
    ['Europe/Berlin', '2026-10-12T09:00', '2027-04-30T00:00:00Z', ['+02:00', '+01:00', '+02:00']],
    ['America/New_York', '2026-10-12T09:00', '2027-04-30T00:00:00Z', ['-04:00', '-05:00', '-04:00']],
    ['Australia/Lord_Howe', '2026-09-14T09:00', '2027-04-30T00:00:00Z', ['+10:30', '+11:00', '+10:30']],
    ['Asia/Kolkata', '2026-10-12T09:00', '2027-04-30T00:00:00Z', ['+05:30']],
  ])('across both changes of the clocks in %s', (zone, wallStart, until, offsets) => {
    const found = series('FREQ=WEEKLY', wallStart, zone, until);
    expect(found.length).toBeGreaterThan(25);
    for (const { startAt, wall, wallTime } of found) {
      expect(wallTimeOf(startAt, zone)).toBe(wall);
      expect(wall.slice(11)).toBe('09:00:00.000');
      expect(wallTime).toBeUndefined();
    }
    const shown = found.map(({ startAt, wall }) => Date.parse(`${wall}Z`) - startAt.getTime()).map(ms => ms / 60_000);
    const minutes = offsets.map(
      offset => Number(`${offset[0]}1`) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4))),
    );
    expect(shown.filter((each, index) => each !== shown[index - 1])).toEqual(minutes);
  });
});

describe('an occurrence whose wall time', () => {
  test.each([
    ['Europe/Berlin', '2027-03-21T02:30', '2027-03-28T01:30:00.000Z'],
    ['America/New_York', '2027-03-07T02:30', '2027-03-14T07:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-09-27T02:15', '2026-10-03T15:45:00.000Z'],
  ])('is skipped in %s begins later and is not dropped, and the next one is where it was', (zone, wallStart, moved) => {
    const [first, second, third] = series('FREQ=WEEKLY;COUNT=3', wallStart, zone);
    expect([first?.wallTime, second?.wallTime, third?.wallTime]).toEqual([undefined, 'skipped', undefined]);
    expect(second?.startAt.toISOString()).toBe(moved);
    expect(wallTimeOf(third!.startAt, zone).slice(11, 16)).toBe(wallStart.slice(11));
  });

  test.each([
    ['Europe/Berlin', '2026-10-18T02:30', '2026-10-25T00:30:00.000Z'],
    ['America/New_York', '2026-10-25T01:30', '2026-11-01T05:30:00.000Z'],
    ['Australia/Lord_Howe', '2027-03-28T01:45', '2027-04-03T14:45:00.000Z'],
  ])('comes twice in %s begins at the first of the two', (zone, wallStart, moment) => {
    const [first, second, third] = series('FREQ=WEEKLY;COUNT=3', wallStart, zone);
    expect([first?.wallTime, second?.wallTime, third?.wallTime]).toEqual([undefined, 'repeated', undefined]);
    expect(second?.startAt.toISOString()).toBe(moment);
  });
});

describe('a rule', () => {
  test('is expanded on the calendar of the zone', () => {
    expect(moments(series('FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3', '2027-01-31T09:00', 'Europe/Berlin'))).toEqual([
      '2027-01-31T08:00:00.000Z',
      '2027-03-31T07:00:00.000Z',
      '2027-05-31T07:00:00.000Z',
    ]);
    expect(moments(series('FREQ=MONTHLY;BYDAY=-1FR;COUNT=2', '2027-01-29T00:30', 'Europe/Berlin'))).toEqual([
      '2027-01-28T23:30:00.000Z',
      '2027-02-25T23:30:00.000Z',
    ]);
    expect(
      series('FREQ=WEEKLY;BYDAY=MO,TH;INTERVAL=2;COUNT=4', '2026-11-30T09:00', 'Europe/Berlin').map(({ wall }) =>
        wall.slice(0, 10),
      ),
    ).toEqual(['2026-11-30', '2026-12-03', '2026-12-14', '2026-12-17']);
  });

  test('ends with UNTIL, a moment, or a date on the wall clock', () => {
    const count = (until: string) => series(`FREQ=DAILY;UNTIL=${until}`, '2026-12-01T23:30', 'Europe/Berlin').length;
    expect(count('20261203T223000Z')).toBe(3);
    expect(count('20261203T222959Z')).toBe(2);
    expect(count('20261203')).toBe(3);
  });

  test('without an end goes on to the horizon', () => {
    expect(series('FREQ=DAILY', '2026-12-01T09:00', 'Europe/Berlin', '2028-12-01T08:00:00Z')).toHaveLength(732);
    expect([isEndless('FREQ=DAILY'), isEndless('FREQ=DAILY;COUNT=3'), isEndless('UNTIL=20270101;FREQ=DAILY')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('that was moved names the times it was moved to, on the wall clock', () => {
    const found = series(
      'FREQ=WEEKLY;COUNT=30',
      '2026-10-12T09:00',
      'Europe/Berlin',
      '2028-01-01T00:00:00Z',
      90 * 60_000,
    );
    expect(found).toHaveLength(30);
    for (const { startAt } of found) expect(wallTimeOf(startAt, 'Europe/Berlin').slice(11, 16)).toBe('10:30');
  });

  test('keeps the milliseconds of its start', () => {
    const rule = { recurrence: 'FREQ=DAILY;COUNT=2', wallStart: '2026-12-01T09:00:00.250', timeZone: 'UTC' };
    const range = { after: new Date('2026-12-01'), until: new Date('2027-01-01') };
    expect(occurrencesOf(rule, range).map(({ ruleWall }) => ruleWall)).toEqual([
      '2026-12-01T09:00:00.250',
      '2026-12-02T09:00:00.250',
    ]);
  });
});
