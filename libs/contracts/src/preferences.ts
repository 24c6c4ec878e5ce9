import { z } from 'zod';
import { healthData } from './health-data.ts';
import { NoInput } from './inputs.ts';
import { ROLES } from './identity.ts';
import type { UserRequestRow } from './rows.ts';
import { TimeZone } from './time-zone.ts';

/** The ways in which a notification can reach its user. */
const CHANNELS = ['inApp', 'webPush', 'email'] as const;
export type Channel = (typeof CHANNELS)[number];

export const NotificationType = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be 1 to 64 of A-Z 0-9 _, a letter first')
  .meta({ id: 'NotificationType', examples: ['APPOINTMENT_CONFIRMED'] });

const Channels = z.object({ inApp: z.boolean(), webPush: z.boolean(), email: z.boolean() });

const WallTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 22:00')
  .meta({ description: 'Wall time, `HH:MM`.' });

const QuietHours = z
  .object({
    start: WallTime,
    end: WallTime.meta({ description: 'Earlier than the start: on the next day.' }),
    timeZone: TimeZone.optional().meta({ description: "The profile's when it is left out, and UTC without one." }),
  })
  .refine(({ start, end }) => start !== end, { path: ['end'], message: 'must be another time than the start' });
export type QuietHours = z.infer<typeof QuietHours>;

/** More kinds than the platform has; bounds what is stored of a user. */
const MAX_TYPES = 200;

const Preferences = z
  .object({
    channels: Channels.meta({ description: 'For every type that is not named below.' }),
    types: z.record(NotificationType, Channels.partial()),
    quietHours: QuietHours.nullable().meta({
      description: 'Nothing is pushed or mailed within them, but at their end; critical notifications are.',
    }),
  })
  .meta({ id: 'NotificationPreferences' });
export type Preferences = z.infer<typeof Preferences>;

const PreferencesChange = z
  .object({
    channels: Channels.partial().optional(),
    types: z
      .record(NotificationType, Channels.partial())
      .refine(types => Object.keys(types).length <= MAX_TYPES, `must be at most ${MAX_TYPES} types`)
      .optional(),
    quietHours: QuietHours.nullable().optional(),
  })
  .meta({ description: 'What is left out stays as it is; a type that is named is replaced.' });
export type PreferencesChange = z.infer<typeof PreferencesChange>;

const PreferencesAnswer = z.object({
  preferences: Preferences,
  vapidPublicKey: z
    .string()
    .optional()
    .meta({ description: 'What a browser needs to subscribe to web push; not there while web push is off.' }),
});

const base64url = (bytes: number, what: string) =>
  z
    .string()
    .max(2 * bytes)
    .refine(
      text => /^[A-Za-z0-9_-]+={0,2}$/.test(text) && decodedLength(text) === bytes,
      `must be ${what}: ${bytes} bytes in base64url`,
    );

function decodedLength(text: string): number {
  return Math.floor((text.replaceAll('=', '').length * 3) / 4);
}

// The longest endpoint in use is a third of this.
const Endpoint = z
  .string()
  .max(2_048)
  .refine(text => {
    const url = URL.parse(text);
    return url?.protocol === 'https:' && url.username === '' && url.password === '';
  }, 'must be an https URL without user or password');

export const preferenceRequests = {
  'notification:preferences': {
    summary: 'How the caller wants to be notified.',
    input: NoInput,
    output: PreferencesAnswer,
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: false,
  },
  'notification:set-preferences': {
    summary: 'Changes how the caller wants to be notified.',
    input: z.object({ preferences: PreferencesChange }),
    output: PreferencesAnswer,
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
  'push:subscribe': {
    summary: 'Notifies this browser of the caller while they are away. It belongs to whoever subscribed it last.',
    input: z
      .object({
        // Whoever knows them may push to the browser.
        endpoint: healthData(Endpoint),
        expirationTime: z.number().nullable().optional(),
        keys: healthData(
          z.object({
            p256dh: base64url(65, "the browser's public key"),
            auth: base64url(16, "the browser's secret"),
          }),
        ),
      })
      .meta({ id: 'PushSubscription', description: "A browser's `PushSubscription` as JSON." }),
    output: z.object({}),
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
  'push:unsubscribe': {
    summary: 'Notifies a browser of the caller no more. One that is not known is no mistake.',
    input: z.object({ endpoint: healthData(Endpoint) }),
    output: z.object({}),
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
} as const satisfies Record<string, UserRequestRow>;
