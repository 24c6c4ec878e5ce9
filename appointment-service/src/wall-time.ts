import { Temporal } from 'temporal-polyfill';

// Wall times: what a clock in a time zone shows, as `2027-03-28T09:00:00.000` without an offset.
//
// The rule for wall times that are no single moment is RFC 5545's (section 3.3.5), and Temporal's `compatible`:
// one that is skipped when clocks go forward is read with the offset from before, so that it comes later by as
// much as the clocks were put forward; of one that comes twice when clocks go back, the first is meant.

export type WallTimeRule = 'skipped' | 'repeated';

/** The moment at which the clock shows the wall time, and which rule was needed to find it. */
export function momentOf(wall: string, timeZone: string): { at: Date; rule: WallTimeRule | undefined } {
  const plain = Temporal.PlainDateTime.from(wall);
  const earlier = plain.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = plain.toZonedDateTime(timeZone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return { at: toDate(earlier), rule: undefined };
  const isThere = earlier.toPlainDateTime().equals(plain);
  return isThere ? { at: toDate(earlier), rule: 'repeated' } : { at: toDate(later), rule: 'skipped' };
}

/** What the clock shows at that moment. */
export function wallTimeOf(at: Date, timeZone: string): string {
  return text(Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone).toPlainDateTime());
}

/** How far apart two wall times are on a clock that is never changed, in milliseconds. */
export function wallDistance(from: string, to: string): number {
  return floating(to) - floating(from);
}

export function moveWallTime(wall: string, milliseconds: number): string {
  return new Date(floating(wall) + milliseconds).toISOString().slice(0, -1);
}

/** The first moment of a day, `2027-03-28`, which need not be 00:00, and of the day after it. */
export function dayOf(date: string, timeZone: string): { start: Date; end: Date } {
  const day = Temporal.PlainDate.from(date);
  return { start: toDate(day.toZonedDateTime(timeZone)), end: toDate(day.add({ days: 1 }).toZonedDateTime(timeZone)) };
}

/** The dates that the clock shows from `from` to `to`, both included, and each one's weekday: 1 is Monday. */
export function datesBetween(from: Date, to: Date, timeZone: string): { date: string; weekday: number }[] {
  const dates: { date: string; weekday: number }[] = [];
  let day = Temporal.PlainDate.from(wallTimeOf(from, timeZone).slice(0, 10));
  const last = Temporal.PlainDate.from(wallTimeOf(to, timeZone).slice(0, 10));
  for (; Temporal.PlainDate.compare(day, last) <= 0; day = day.add({ days: 1 })) {
    dates.push({ date: day.toString(), weekday: day.dayOfWeek });
  }
  return dates;
}

/** The wall time as if the zone were UTC: for arithmetic alone. */
function floating(wall: string): number {
  return Date.parse(`${wall}Z`);
}

function text(plain: Temporal.PlainDateTime): string {
  return plain.toString({ fractionalSecondDigits: 3 });
}

function toDate(zoned: Temporal.ZonedDateTime): Date {
  return new Date(zoned.epochMilliseconds);
}
