import { invalidPayload, type AppointmentStatus } from '@rapport/contracts';
import { newId } from '@rapport/service';
import type { AppointmentRow } from './appointment.ts';
import { horizonOf } from './limits.ts';
import { isEndless, occurrencesOf } from './series.ts';
import type { Times } from './times.ts';
import { wallTimeOf } from './wall-time.ts';

/** A series as it is stored. */
export interface SeriesRow {
  readonly id: string;
  readonly recurrence: string;
  readonly timeZone: string;
  /** The wall time of the first occurrence. */
  readonly wallStart: string;
  readonly durationMs: number;
  readonly laidOutTo: Date;
  readonly isEndless: boolean;
  readonly createdAt: Date;
}

/** What is asked for, checked. */
export interface Booking extends Times {
  readonly clientId: string;
  readonly therapistId: string;
  readonly timeZone: string;
  readonly recurrence: string | undefined;
  readonly therapistName: string | undefined;
}

/** The longest that a clock is put forward or back, and more. */
const CLOCK_CHANGE_MS = 3 * 60 * 60 * 1_000;

/**
 * All sessions of a booking: one, or those of the series for the next two years.
 * @throws AppError `INVALID_PAYLOAD` when the start is not an occurrence of the rule
 */
export function layOut(
  booking: Booking,
  given: { status: AppointmentStatus; bufferMs: number; now: Date },
): { series: SeriesRow | undefined; rows: AppointmentRow[] } {
  const { startAt, endAt, timeZone, recurrence } = booking;
  const { now } = given;
  const wallStart = wallTimeOf(startAt, timeZone);
  const session = (at: Date, wall: string, rule: AppointmentRow['wallTime'], seriesId: string | null) =>
    newRow(booking, given, { startAt: at, wallStart: wall, wallTime: rule, seriesId });
  if (recurrence === undefined) return { series: undefined, rows: [session(startAt, wallStart, null, null)] };

  const laidOutTo = horizonOf(now);
  const after = new Date(startAt.getTime() - CLOCK_CHANGE_MS);
  const [first, ...rest] = occurrencesOf({ recurrence, timeZone, wallStart }, { after, until: laidOutTo });
  if (first?.ruleWall !== wallStart) {
    throw invalidPayload({ path: 'recurrence', message: 'must have the start as its first occurrence' });
  }
  const series: SeriesRow = {
    id: newId(),
    recurrence,
    timeZone,
    wallStart,
    durationMs: endAt.getTime() - startAt.getTime(),
    laidOutTo,
    isEndless: isEndless(recurrence),
    createdAt: now,
  };
  return {
    series,
    // The first is when it was asked for, also within an hour that comes twice.
    rows: [
      session(startAt, wallStart, null, series.id),
      ...rest.map(each => session(each.startAt, each.wall, each.wallTime ?? null, series.id)),
    ],
  };
}

function newRow(
  booking: Booking,
  { status, bufferMs, now }: { status: AppointmentStatus; bufferMs: number; now: Date },
  occurrence: Pick<AppointmentRow, 'startAt' | 'wallStart' | 'wallTime' | 'seriesId'>,
): AppointmentRow {
  const endAt = new Date(occurrence.startAt.getTime() + (booking.endAt.getTime() - booking.startAt.getTime()));
  return {
    ...occurrence,
    id: newId(),
    clientId: booking.clientId,
    therapistId: booking.therapistId,
    status,
    version: 1,
    endAt,
    blockedUntil: new Date(endAt.getTime() + bufferMs),
    timeZone: booking.timeZone,
    recurrence: booking.recurrence ?? null,
    therapistName: booking.therapistName ?? null,
    reason: null,
    requestedAt: status === 'requested' ? now : null,
    createdAt: now,
    updatedAt: now,
  };
}
