import type { QuietHours } from '@rapport/contracts';
import { Temporal } from 'temporal-polyfill';

/**
 * When the quiet hours end that `now` is in; `undefined` when it is in none. They are wall time in the zone: the
 * night of a change of clocks is an hour longer or shorter, and ends when the clock on the wall says so.
 */
export function quietUntil(
  now: Date,
  { start, end }: Pick<QuietHours, 'start' | 'end'>,
  timeZone: string,
): Date | undefined {
  const local = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  const [from, to] = [Temporal.PlainTime.from(start), Temporal.PlainTime.from(end)];
  const afterStart = Temporal.PlainTime.compare(local, from) >= 0;
  const beforeEnd = Temporal.PlainTime.compare(local, to) < 0;
  const overMidnight = Temporal.PlainTime.compare(from, to) > 0;
  if (overMidnight ? !afterStart && !beforeEnd : !afterStart || !beforeEnd) return undefined;
  const day = local.toPlainDate().add({ days: overMidnight && afterStart ? 1 : 0 });
  const over = new Date(firstAfter(local, day.toPlainDateTime(to), timeZone).epochMilliseconds);
  // Where a whole day was left out, the jump leads into the next night.
  return quietUntil(over, { start, end }, timeZone) ?? over;
}

/** The first instant after `now` at which the wall shows `wall`, or has skipped it. */
function firstAfter(
  now: Temporal.ZonedDateTime,
  wall: Temporal.PlainDateTime,
  timeZone: string,
): Temporal.ZonedDateTime {
  const earlier = wall.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = wall.toZonedDateTime(timeZone, { disambiguation: 'later' });
  // A wall time that is skipped: over when the clock jumps.
  if (!earlier.toPlainDateTime().equals(wall)) return earlier.getTimeZoneTransition('next') ?? later;
  // One that comes twice: the first time may be over.
  return Temporal.ZonedDateTime.compare(earlier, now) > 0 ? earlier : later;
}
