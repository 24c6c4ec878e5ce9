import { z } from 'zod';
import { healthData } from './health-data.ts';
import { Id, Timestamp } from './ids.ts';
import type { FactRow, ServiceRequestRow } from './rows.ts';
import { Text } from './text.ts';
import { TimeZone } from './time-zone.ts';

/** A language as browsers name it; the nearest one that there are texts for is used. */
const Locale = z
  .string()
  .max(35)
  .refine(isLocale, 'must be a language tag such as en or de-AT')
  .meta({ description: 'A BCP 47 language tag.', examples: ['de-AT'] });

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

// The longest address that SMTP carries.
const Email = z.email('must be an e-mail address').max(254);
const Name = Text.min(1).max(200);

export const Profile = z
  .object({
    userId: Id,
    name: healthData(Name).optional(),
    email: healthData(Email).optional(),
    locale: Locale.optional(),
    timeZone: TimeZone.optional(),
    therapistId: Id.optional().meta({ description: "The therapist's room, calendar and availability." }),
    version: z.int().positive().meta({ description: 'Rises with every change.' }),
  })
  .meta({ id: 'Profile' });
export type Profile = z.infer<typeof Profile>;

export const profileServiceRequests = {
  'profile.set': {
    summary: 'Sets what is given of a profile; what is left out stays as it is, and null removes it.',
    input: z.object({
      userId: Id,
      name: healthData(Name).nullable().optional(),
      email: healthData(Email).nullable().optional(),
      locale: Locale.nullable().optional(),
      timeZone: TimeZone.nullable().optional(),
      therapistId: Id.nullable().optional(),
    }),
    output: Profile,
    answeredBy: 'notification-service',
    askedBy: [],
  },
  'profile.get': {
    summary: 'A profile; NOT_FOUND for a user who has none.',
    input: z.object({ userId: Id }),
    output: Profile,
    answeredBy: 'notification-service',
    askedBy: ['appointment-service'],
  },
} as const satisfies Record<string, ServiceRequestRow>;

export const profileFacts = {
  'profile.changed': {
    summary: 'A profile was set. The one with the highest version says which therapist, if any, the user is.',
    data: z.object({ userId: Id, therapistId: Id.optional(), version: z.int().positive(), changedAt: Timestamp }),
    publishedBy: 'notification-service',
    consumedBy: ['appointment-service'],
  },
} as const satisfies Record<string, FactRow>;
