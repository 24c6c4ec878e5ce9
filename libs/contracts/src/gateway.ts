import { z } from 'zod';
import { AUTHENTICATION_REASONS, ErrorBody } from './errors.ts';
import { healthData } from './health-data.ts';
import { Timestamp } from './ids.ts';
import { presenceGatewayEvents, presenceGatewayRequests } from './presence.ts';
import type { GatewayEventRow, GatewayRequestRow } from './rows.ts';

/** Raised when a client that was written for the one before could go wrong; additions do not raise it. */
export const PROTOCOL = 1;

/** What the gateway answers itself. */
export const gatewayRequests = {
  'auth:refresh': {
    summary: 'Replaces the token of this connection, before the old one expires, by a newer one of the same user.',
    input: z.object({ token: healthData(z.string().min(1, 'must be an access token')) }),
    output: z.object({ expiresAt: Timestamp }),
  },
  ...presenceGatewayRequests,
} as const satisfies Record<string, GatewayRequestRow>;

/** What the gateway sends of its own accord. */
export const gatewayEvents = {
  'session:ready': {
    summary: 'Once after connect.',
    payload: z.object({
      serverTime: Timestamp,
      protocol: z.literal(PROTOCOL),
      limits: z.object({
        maxMessageBytes: z.int().positive().meta({ description: 'A larger packet closes the socket.' }),
        maxContentCharacters: z.int().positive(),
        rateLimitBurst: z.int().nonnegative().meta({ description: 'Events of a user at once; 0: no limit.' }),
        rateLimitPerSecond: z.int().nonnegative().meta({ description: 'Events of a user in the long run.' }),
      }),
      unreadMessages: z.int().nonnegative().optional().meta({
        description: 'In all conversations together; left out when it could not be counted in time.',
      }),
      unreadNotifications: z.int().nonnegative().optional().meta({
        description: 'Left out when it could not be counted in time.',
      }),
    }),
  },
  ...presenceGatewayEvents,
  'sync:required': {
    summary: 'The server may have missed something for this socket: ask again for everything that is shown.',
    payload: z.object({}),
  },
  error: {
    summary: 'A failure of an event that was sent without an ack callback, or of the connection itself.',
    payload: ErrorBody.extend({
      reason: z.enum(AUTHENTICATION_REASONS).optional(),
      event: z.string().optional().meta({ description: 'The event that failed.' }),
    }),
  },
} as const satisfies Record<string, GatewayEventRow>;
