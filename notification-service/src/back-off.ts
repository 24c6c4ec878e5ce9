/** No attempt waits longer: what is wrong for hours is looked after by then. */
const LONGEST_MS = 60 * 60 * 1_000;

/** With the default first wait of ten seconds these take about five hours. */
export const MAX_ATTEMPTS = 14;

/**
 * When to try again after the `attempts`-th failure: twice as late each time, somewhere in the second half of the
 * wait, so that what failed together does not come back together.
 * @param random from 0 to 1
 */
export function nextAttempt(now: Date, attempts: number, firstMs: number, random: number): Date {
  const wait = Math.min(firstMs * 2 ** (attempts - 1), LONGEST_MS);
  return new Date(now.getTime() + wait * (0.5 + random / 2));
}
