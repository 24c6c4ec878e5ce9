import { z } from 'zod';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import type {
  ControlRow,
  DeliveryRow,
  GatewayCallRow,
  GatewayEventRow,
  GatewayRequestRow,
  ServiceRequestRow,
  UserRequestRow,
} from './rows.ts';

/** What a connected person may choose to show; who has no session is `offline`. */
const CHOSEN_STATUSES = ['online', 'away', 'dnd'] as const;
const STATUSES = [...CHOSEN_STATUSES, 'offline'] as const;

/** The most users whose presence is asked for, or told after connect, at once. */
export const MAX_PRESENCES = 200;
/** The most changes in one report: about 100 KB, well below what NATS carries. */
export const MAX_REPORTED = 1_000;
/** The most revocations in one page: about 120 KB. */
export const MAX_REVOCATIONS = 1_000;

const Presence = z
  .object({
    userId: Id,
    status: z.enum(STATUSES),
    lastSeenAt: Timestamp.nullable().meta({
      description: 'When the last session ended; null: never, or it is not for the caller to see.',
    }),
  })
  .meta({ id: 'Presence' });
export type Presence = z.infer<typeof Presence>;
export type Status = Presence['status'];
export type ChosenStatus = (typeof CHOSEN_STATUSES)[number];

const PresenceGetInput = z.object({ userIds: z.array(Id).max(MAX_PRESENCES) });
const Presences = z.object({ presences: z.array(Presence) });

/** A time as PostgreSQL and tokens compare it: milliseconds since 1970. */
const Milliseconds = z.int().nonnegative();
const Revocation = z.object({ userId: Id, revokedBefore: Milliseconds });

const SocketId = Id.meta({ description: 'The id of a socket.' });

export const presenceRequests = {
  'presence:get': {
    summary: 'Who of these users is there. Users that the caller may not see look like users that do not exist.',
    input: PresenceGetInput,
    output: Presences,
    roles: ROLES,
    answeredBy: 'presence-service',
    ordered: false,
  },
} as const satisfies Record<string, UserRequestRow>;

export const presenceServiceRequests = {
  'presence.get': {
    summary: 'Who of these users is there: all of them, or on behalf of a user what that user may see.',
    input: PresenceGetInput,
    output: Presences,
    answeredBy: 'presence-service',
    askedBy: ['notification-service'],
  },
  'session.revoke': {
    summary: 'Ends every session of the user, and every token issued to them before now, on all gateways and for good.',
    input: z.object({ userId: Id }),
    output: z.object({ revokedBefore: Timestamp }),
    answeredBy: 'presence-service',
    askedBy: [],
  },
} as const satisfies Record<string, ServiceRequestRow>;

/** What gateways ask of the presence service. */
export const presenceGatewayCalls = {
  'session.report': {
    summary: 'The sessions that began, changed and ended on a gateway, in order; an empty one says that it is alive.',
    input: z.object({
      seq: z.int().positive().meta({ description: 'Of this report: 1, 2, 3 …; a repeat changes nothing.' }),
      begin: z.boolean().meta({ description: 'The first page of everything there is: the rest is forgotten.' }),
      end: z.boolean().meta({ description: 'The last page of everything there is.' }),
      joined: z.array(z.object({ socketId: SocketId, userId: Id, away: z.boolean() })).max(MAX_REPORTED),
      set: z.array(z.object({ socketId: SocketId, userId: Id, status: z.enum(CHOSEN_STATUSES) })).max(MAX_REPORTED),
      left: z
        .array(
          z.object({
            socketId: SocketId,
            userId: Id,
            gatewayStops: z.boolean().meta({ description: 'Sent away, and expected on another gateway.' }),
          }),
        )
        .max(MAX_REPORTED),
    }),
    output: z.object({
      known: z.boolean().meta({ description: 'False: not applied, report everything there is from the beginning.' }),
      leaseMs: z.int().positive().meta({ description: 'A gateway that is silent for this long is given up.' }),
      revocation: z.int().nonnegative().meta({ description: 'The number of the latest revocation.' }),
      states: z.array(z.array(Presence).max(MAX_PRESENCES)).meta({
        description: 'Whom those who joined see, as many of them as fit, from the first on.',
      }),
    }),
    answeredBy: 'presence-service',
  },
  'presence.state': {
    summary:
      'Whom each of these connected users sees: of those for whom the reply to a report had no room, or was lost.',
    input: z.object({ userIds: z.array(Id).max(MAX_REPORTED) }),
    output: z.object({ states: z.array(z.array(Presence).max(MAX_PRESENCES)) }),
    answeredBy: 'presence-service',
  },
  'revocation.list': {
    summary: 'Revocations after that number, in order.',
    input: z.object({ after: z.int().nonnegative() }),
    output: z.object({
      revocations: z.array(Revocation.extend({ number: z.int().positive() })).max(MAX_REVOCATIONS),
      last: z.int().nonnegative().meta({ description: 'The number of the latest one there is.' }),
    }),
    answeredBy: 'presence-service',
  },
} as const satisfies Record<string, GatewayCallRow>;

/** The part of presence that the gateway answers: it reports the status with the sessions. */
export const presenceGatewayRequests = {
  'presence:set': {
    summary:
      'What this user shows while connected: `away` is of this device, `dnd` of the user until it is taken back.',
    input: z.object({ status: z.enum(CHOSEN_STATUSES) }),
    output: z.object({}),
  },
} as const satisfies Record<string, GatewayRequestRow>;

export const presenceGatewayEvents = {
  'presence:state': {
    summary: 'Once after connect: the contacts who are not offline. Every change after it comes as an event.',
    payload: z.object({ presences: z.array(Presence).max(MAX_PRESENCES) }),
  },
} as const satisfies Record<string, GatewayEventRow>;

export const presenceDeliveries = {
  'user:online': {
    summary: 'Somebody is there.',
    payload: z.object({ userId: Id }),
    publishedBy: 'presence-service',
    to: ['user', 'all'],
    follows: 'presence:state',
  },
  'user:offline': {
    summary: 'Somebody has gone, or may not be seen any more.',
    payload: Presence.pick({ userId: true, lastSeenAt: true }),
    publishedBy: 'presence-service',
    to: ['user', 'all'],
    follows: 'presence:state',
  },
  'user:presence': {
    summary: 'Somebody who is there shows another status.',
    payload: z.object({ userId: Id, status: z.enum(CHOSEN_STATUSES) }),
    publishedBy: 'presence-service',
    to: ['user', 'all'],
    follows: 'presence:state',
  },
} as const satisfies Record<string, DeliveryRow>;

export const presenceControls = {
  'session.revoked': {
    summary: 'Tokens of the user that were issued before are refused from now on, and their sockets end.',
    data: Revocation.extend({ number: z.int().positive() }),
    publishedBy: 'presence-service',
  },
} as const satisfies Record<string, ControlRow>;
