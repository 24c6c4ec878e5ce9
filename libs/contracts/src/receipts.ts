import { z } from 'zod';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import type { DeliveryRow, FactRow, GatewayCallRow, UserRequestRow } from './rows.ts';
import { UnreadCountsInput, UnreadCountsOutput } from './unread-counts.ts';

const Seq = z.int().positive();
const Version = z.int().positive().meta({ description: "The conversation's change counter after this change." });
const PreviousVersion = z.int().nonnegative().meta({ description: 'The change counter before it.' });
const UpTo = z.object({ messageId: Id.meta({ description: 'The message up to and including which it is so.' }) });

export const receiptRequests = {
  'message:read': {
    summary: 'The caller has read the conversation up to and including the message. A marker never moves back.',
    input: UpTo,
    output: z.object({
      conversationId: Id,
      readUpToSeq: z.int().nonnegative(),
      unreadCount: z.int().nonnegative().meta({ description: 'What is still unread in this conversation.' }),
      version: Version,
    }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
    batched: true,
  },
  'message:delivered': {
    summary:
      'A device of the caller has the conversation up to and including the message. What is read counts as well.',
    input: UpTo,
    output: z.object({ version: Version }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
    batched: true,
  },
} as const satisfies Record<string, UserRequestRow>;

export const receiptGatewayCalls = {
  'message.unread-counts': {
    summary: 'How many messages each of the users has left to read, in all conversations together.',
    input: UnreadCountsInput,
    output: UnreadCountsOutput,
    answeredBy: 'messaging-service',
  },
} as const satisfies Record<string, GatewayCallRow>;

export const receiptDeliveries = {
  'message:read': {
    summary:
      'One of the two has read the conversation up to a message; to every socket of both but the one that said so.',
    payload: z.object({
      conversationId: Id,
      messageId: Id,
      seq: Seq,
      readBy: Id,
      readAt: Timestamp,
      version: Version,
      previousVersion: PreviousVersion,
    }),
    publishedBy: 'messaging-service',
    to: ['user'],
  },
  'message:delivered': {
    summary: 'A device of one of the two has the conversation up to a message; to every socket of both.',
    payload: z.object({
      conversationId: Id,
      messageId: Id,
      seq: Seq,
      deliveredTo: Id,
      deliveredAt: Timestamp,
      version: Version,
      previousVersion: PreviousVersion,
    }),
    publishedBy: 'messaging-service',
    to: ['user'],
  },
} as const satisfies Record<string, DeliveryRow>;

export const receiptFacts = {
  'message.read': {
    summary: 'Somebody has read a conversation up to a message.',
    data: z.object({
      conversationId: Id,
      userId: Id.meta({ description: 'Who has read.' }),
      otherUserId: Id,
      readUpToSeq: Seq,
      version: z.int().positive(),
      readAt: Timestamp,
    }),
    publishedBy: 'messaging-service',
    consumedBy: ['notification-service'],
  },
} as const satisfies Record<string, FactRow>;
