import { AppError, invalidPayload } from '@rapport/contracts';
import { horizonOf, MAX_DURATION_MS } from './limits.ts';

export interface Times {
  readonly startAt: Date;
  readonly endAt: Date;
}

/**
 * Reads the times of a session.
 * @throws AppError `INVALID_PAYLOAD` for one that is in the past, more than two years ahead, empty or over 8 h
 */
export function readTimes({ startTime, endTime }: { startTime: string; endTime: string }, now: Date): Times {
  const startAt = new Date(startTime);
  const endAt = new Date(endTime);
  const details: { path: string; message: string }[] = [];
  if (startAt < now) details.push({ path: 'startTime', message: 'must not be in the past' });
  if (startAt > horizonOf(now)) details.push({ path: 'startTime', message: 'must be at most two years ahead' });
  const durationMs = endAt.getTime() - startAt.getTime();
  if (durationMs <= 0) details.push({ path: 'endTime', message: 'must be after startTime' });
  if (durationMs > MAX_DURATION_MS)
    details.push({ path: 'endTime', message: 'must be at most 8 hours after startTime' });
  if (details.length > 0) throw invalidPayload(...details);
  return { startAt, endAt };
}

/** The one answer for a time that cannot be had, whatever is in the way: it tells nothing about anybody. */
export function notAvailable(): AppError {
  return new AppError('CONFLICT', 'this time is not available');
}

const EXCLUSION_VIOLATION = '23P01';

/** What an exclusion constraint says, as the caller gets it; anything else as it is. */
export function asNotAvailable(error: unknown): unknown {
  return (error as { code?: unknown }).code === EXCLUSION_VIOLATION ? notAvailable() : error;
}
