import { z } from 'zod';
import { healthData } from './health-data.ts';
import { ROLES } from './identity.ts';
import { Id, Timestamp } from './ids.ts';
import { NoInput } from './inputs.ts';
import { NotificationType } from './preferences.ts';
import type { DeliveryRow, FactRow, GatewayCallRow, ServiceRequestRow, UserRequestRow } from './rows.ts';
import { Text } from './text.ts';
import { UnreadCountsInput, UnreadCountsOutput } from './unread-counts.ts';

const PRIORITIES = ['normal', 'critical'] as const;

/** What a service may add for its own client code, as JSON; a page of 200 has to fit into a reply. */
const MAX_DATA_BYTES = 4_096;

const Data = z
  .record(z.string(), z.unknown())
  .refine(data => bytesOf(JSON.stringify(data)) <= MAX_DATA_BYTES, `must be at most ${MAX_DATA_BYTES} bytes of JSON`)
  .refine(data => isStorable(JSON.stringify(data)), 'must be well-formed Unicode without NUL');

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

// JSON writes NUL and a lone surrogate as escapes.
function isStorable(json: string): boolean {
  return !/\\u0000|\\ud[89a-f]/i.test(json);
}

export const Notification = z
  .object({
    id: Id,
    type: NotificationType,
    title: healthData(z.string()),
    message: healthData(z.string()),
    createdAt: Timestamp,
    updatedAt: Timestamp.optional().meta({ description: 'When it last grew; only of one that did.' }),
    data: healthData(z.record(z.string(), z.unknown())).optional(),
    priority: z.enum(PRIORITIES),
    readAt: Timestamp.optional(),
    archivedAt: Timestamp.optional(),
    expiresAt: Timestamp.optional(),
  })
  .meta({ id: 'Notification' });
export type Notification = z.infer<typeof Notification>;

const unreadCount = z.int().nonnegative();
const version = z.int().nonnegative().meta({
  description: "The inbox's change counter: of two unread counts the one with the higher version holds.",
});
const Unread = z.object({ unreadCount, version });

const One = z.object({ notificationId: Id });

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

export const notificationRequests = {
  'notification:list': {
    summary: "The caller's notifications, newest first, without the archived and the expired ones.",
    input: z
      .object({
        cursor: z.string().max(200).optional(),
        limit: z.int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE),
        unreadOnly: z.boolean().default(false),
      })
      .prefault({}),
    output: z.object({
      notifications: z.array(Notification),
      nextCursor: z.string().optional(),
      unreadCount,
      version,
    }),
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: false,
  },
  'notification:read': {
    summary: 'Marks a notification as read.',
    input: One,
    output: Unread,
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
  'notification:read-all': {
    summary: 'Marks every notification as read that there is by now.',
    input: NoInput,
    output: Unread,
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
  'notification:archive': {
    summary: 'Puts a notification away: it is listed and counted no more.',
    input: One,
    output: Unread,
    roles: ROLES,
    answeredBy: 'notification-service',
    ordered: true,
  },
} as const satisfies Record<string, UserRequestRow>;

export const notificationServiceRequests = {
  'notification.create': {
    summary: 'Notifies a user. What others may see of it (a push, an e-mail) says only that there is something new.',
    input: z.object({
      userId: Id,
      type: NotificationType,
      title: healthData(Text.min(1).max(200)),
      message: healthData(Text.min(1).max(2_000)),
      data: healthData(Data).optional(),
      idempotencyKey: Text.min(1).max(200).optional().meta({
        description: 'The same key with the same body returns the first notification, with another body CONFLICT.',
      }),
      priority: z.enum(PRIORITIES).default('normal').meta({
        description: 'A critical one waits for no quiet hours and no do-not-disturb.',
      }),
      expiresAt: Timestamp.optional().meta({ description: 'From then on it is as if it had been archived.' }),
    }),
    output: Notification,
    answeredBy: 'notification-service',
    askedBy: [],
  },
} as const satisfies Record<string, ServiceRequestRow>;

export const notificationGatewayCalls = {
  'notification.unread-counts': {
    summary: 'How many unread notifications each of the users has.',
    input: UnreadCountsInput,
    output: UnreadCountsOutput,
    answeredBy: 'notification-service',
  },
} as const satisfies Record<string, GatewayCallRow>;

export const notificationDeliveries = {
  'notification:new': {
    summary: 'A new notification, or one that grew: then it comes again under its id.',
    payload: Notification.extend({ unreadCount, version }).meta({ id: 'NewNotification' }),
    publishedBy: 'notification-service',
    to: ['user'],
  },
  'notification:updated': {
    summary: 'Notifications of this user were read, archived or expired.',
    payload: Unread.extend({
      readIds: z.array(Id).optional(),
      archivedIds: z.array(Id).optional(),
      allRead: z.literal(true).optional(),
    }),
    publishedBy: 'notification-service',
    to: ['user'],
  },
} as const satisfies Record<string, DeliveryRow>;

export const notificationFacts = {
  'notification.created': {
    summary: 'A notification was made, or grew.',
    data: z.object({ notificationId: Id, userId: Id, version: z.int().positive() }),
    publishedBy: 'notification-service',
    consumedBy: [],
  },
  'notification.changed': {
    summary: 'Notifications were read, archived or expired.',
    data: z.object({
      userId: Id,
      version: z.int().positive(),
      readIds: z.array(Id).optional(),
      archivedIds: z.array(Id).optional(),
      allRead: z.literal(true).optional(),
    }),
    publishedBy: 'notification-service',
    consumedBy: [],
  },
} as const satisfies Record<string, FactRow>;
