import { z } from 'zod';

/** An IANA name. `Intl` would take an offset such as `+01:00` too, which knows nothing of daylight saving. */
export const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin')
  .meta({ id: 'TimeZone', description: 'An IANA time zone.', examples: ['Europe/Berlin'] });

function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}
