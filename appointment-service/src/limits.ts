/** Rules about the times of appointments. Each is part of the public contract. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const MAX_DURATION_MS = 8 * HOUR_MS;
/** How far ahead appointments are booked, and series are laid out. */
const YEARS_AHEAD = 2;
export const MAX_OPEN_REQUESTS = 10;

/** Two years from now, to the day. */
export function horizonOf(now: Date): Date {
  const horizon = new Date(now);
  horizon.setUTCFullYear(horizon.getUTCFullYear() + YEARS_AHEAD);
  return horizon;
}
