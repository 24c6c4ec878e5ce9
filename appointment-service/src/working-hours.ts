import type { AvailabilitySetting } from '@rapport/contracts';
import { datesBetween, dayOf, momentOf } from './wall-time.ts';

/** From a moment on, up to another. */
export interface Span {
  readonly start: Date;
  readonly end: Date;
}

/** A therapist's hours as they are stored. */
export type WorkingHours = Pick<AvailabilitySetting, 'timeZone' | 'weekly' | 'exceptions'>;

const DAY_NAMES = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/**
 * The working time that touches the span, in order, spans that meet made one. Hours are wall times: where clocks are
 * changed within them, they are an hour longer or shorter.
 * @param hours without any, all of the time is working time
 */
export function workingTime(hours: WorkingHours | undefined, within: Span): Span[] {
  if (!hours) return [within];
  const { timeZone, weekly, exceptions } = hours;
  const spans = datesBetween(within.start, within.end, timeZone).flatMap(({ date, weekday }) => {
    const exception = exceptions.find(each => each.date === date);
    const open = exception ? exception.hours : weekly.filter(({ day }) => day === DAY_NAMES[weekday - 1]);
    return open.map(({ from, to }) => ({
      start: momentOf(`${date}T${from}`, timeZone).at,
      end: to === '24:00' ? dayOf(date, timeZone).end : momentOf(`${date}T${to}`, timeZone).at,
    }));
  });
  return joined(spans).filter(({ start, end }) => start < within.end && end > within.start);
}

/** Whether all of the span is working time. */
export function isWorkingTime(hours: WorkingHours | undefined, span: Span): boolean {
  return workingTime(hours, span).some(({ start, end }) => start <= span.start && span.end <= end);
}

interface SlotOptions {
  readonly hours: WorkingHours | undefined;
  /** What is taken already, buffers included. */
  readonly taken: readonly Span[];
  readonly within: Span;
  readonly durationMs: number;
  /** What has to stay free after a session. */
  readonly bufferMs: number;
  /** At most so many. */
  readonly limit: number;
}

/** Slots start at whole five minutes, so that nobody is offered 09:07. */
const GRID_MS = 5 * 60_000;

/** Sessions that could be booked, one after the other from the beginning of each free span. */
export function freeSlots({ hours, taken, within, durationMs, bufferMs, limit }: SlotOptions): Span[] {
  const busy = joined(taken);
  const slots: Span[] = [];
  for (const open of workingTime(hours, within)) {
    const last = Math.min(open.end.getTime(), within.end.getTime());
    let start = onGrid(Math.max(open.start.getTime(), within.start.getTime()));
    while (start + durationMs <= last && slots.length < limit) {
      const end = start + durationMs;
      const inTheWay = busy.find(each => each.start.getTime() < end + bufferMs && each.end.getTime() > start);
      if (inTheWay) {
        start = onGrid(inTheWay.end.getTime());
        continue;
      }
      slots.push({ start: new Date(start), end: new Date(end) });
      start = onGrid(end + bufferMs);
    }
  }
  return slots;
}

function onGrid(time: number): number {
  return Math.ceil(time / GRID_MS) * GRID_MS;
}

function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start.getTime() - b.start.getTime())) {
    const last = result.at(-1);
    if (last && span.start <= last.end) {
      result[result.length - 1] = { start: last.start, end: span.end > last.end ? span.end : last.end };
    } else if (span.start < span.end) {
      result.push(span);
    }
  }
  return result;
}
