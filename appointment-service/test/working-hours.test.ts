import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { freeSlots, isWorkingTime, workingTime, type WorkingHours } from '../src/working-hours.ts';

const at = (text: string) => new Date(`${text}Z`);
const span = (start: string, end: string) => ({ start: at(start), end: at(end) });
const shown = (spans: readonly { start: Date; end: Date }[]) =>
  spans.map(({ start, end }) => `${start.toISOString().slice(0, 16)} ${end.toISOString().slice(11, 16)}`);

const HOURS: WorkingHours = {
  timeZone: 'Europe/Berlin',
  weekly: [
    { day: 'monday', from: '09:00', to: '12:00' },
    { day: 'monday', from: '12:00', to: '13:00' },
    { day: 'sunday', from: '00:00', to: '24:00' },
  ],
  exceptions: [
    { date: '2026-12-07', hours: [] },
    { date: '2026-12-08', hours: [{ from: '10:00', to: '11:00' }] },
  ],
};

describe('working time', () => {
  test('is on the wall clock of the zone, spans that meet made one, exceptions instead of the week', () => {
    expect(shown(workingTime(HOURS, span('2026-11-30T00:00', '2026-12-09T00:00')))).toEqual([
      '2026-11-30T08:00 12:00',
      '2026-12-05T23:00 23:00',
      '2026-12-08T09:00 10:00',
    ]);
  });

  test('of a day on which clocks are changed is longer or shorter', () => {
    const hours = (from: string, to: string) =>
      workingTime(HOURS, span(from, to)).map(({ start, end }) => (end.getTime() - start.getTime()) / 3_600_000);
    expect(hours('2027-03-27T12:00', '2027-03-28T12:00')).toEqual([23]);
    expect(hours('2026-10-24T12:00', '2026-10-25T12:00')).toEqual([25]);
  });

  test('is all of the time when none is set, and none of it when the week is empty', () => {
    const session = span('2026-12-01T03:00', '2026-12-01T04:00');
    expect(isWorkingTime(undefined, session)).toBe(true);
    expect(isWorkingTime({ ...HOURS, weekly: [], exceptions: [] }, session)).toBe(false);
  });

  test('holds a session when it holds all of it, over midnight too', () => {
    const monday = (from: string, to: string) => isWorkingTime(HOURS, span(`2026-11-30T${from}`, `2026-11-30T${to}`));
    expect([monday('08:00', '12:00'), monday('07:59', '09:00'), monday('11:30', '12:01')]).toEqual([
      true,
      false,
      false,
    ]);
    const nights = {
      timeZone: 'UTC',
      weekly: [
        { day: 'monday', from: '22:00', to: '24:00' },
        { day: 'tuesday', from: '00:00', to: '02:00' },
      ],
      exceptions: [],
    } as const;
    expect(
      isWorkingTime(
        { ...nights, weekly: [...nights.weekly], exceptions: [] },
        span('2026-11-30T23:30', '2026-12-01T00:30'),
      ),
    ).toBe(true);
  });
});

describe('free slots', () => {
  const within = span('2026-11-30T00:00', '2026-12-01T00:00');
  const options = { hours: HOURS, within, taken: [], durationMs: 50 * 60_000, bufferMs: 0, limit: 100 };

  test('follow one another in the working time, and leave out what is taken', () => {
    expect(shown(freeSlots(options))).toEqual([
      '2026-11-30T08:00 08:50',
      '2026-11-30T08:50 09:40',
      '2026-11-30T09:40 10:30',
      '2026-11-30T10:30 11:20',
    ]);
    expect(shown(freeSlots({ ...options, taken: [span('2026-11-30T08:30', '2026-11-30T09:01')] }))).toEqual([
      '2026-11-30T09:05 09:55',
      '2026-11-30T09:55 10:45',
      '2026-11-30T10:45 11:35',
    ]);
  });

  test('keep the buffer after each, before what is booked too', () => {
    const taken = [span('2026-11-30T10:00', '2026-11-30T11:00')];
    expect(shown(freeSlots({ ...options, taken, bufferMs: 20 * 60_000 }))).toEqual([
      '2026-11-30T08:00 08:50',
      '2026-11-30T11:00 11:50',
    ]);
  });

  test('never overlap what is taken, nor one another, nor leave the working time or what was asked', () => {
    const minute = fc.integer({ min: 0, max: 1_440 });
    const spans = fc.array(fc.tuple(minute, fc.integer({ min: 1, max: 200 })), { maxLength: 12 });
    fc.assert(
      fc.property(
        spans,
        fc.integer({ min: 5, max: 480 }),
        fc.integer({ min: 0, max: 60 }),
        (booked, duration, buffer) => {
          const taken = booked.map(([start, length]) => ({
            start: new Date(within.start.getTime() + start * 60_000),
            end: new Date(within.start.getTime() + (start + length) * 60_000),
          }));
          const slots = freeSlots({ ...options, taken, durationMs: duration * 60_000, bufferMs: buffer * 60_000 });
          const blocked = slots.map(({ start, end }) => ({ start, end: new Date(end.getTime() + buffer * 60_000) }));
          for (const [index, slot] of blocked.entries()) {
            const others = [...taken, ...blocked.filter((_, other) => other !== index)];
            expect(others.filter(({ start, end }) => start < slot.end && end > slot.start)).toEqual([]);
          }
          for (const slot of slots) expect(isWorkingTime(HOURS, slot)).toBe(true);
        },
      ),
    );
  });
});
