import { z } from 'zod';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import { Message } from './messaging.ts';
import type { ServiceRequestRow, UserRequestRow } from './rows.ts';

/** The conversations whose state a client may name in one `message:sync`. */
const MAX_CURSORS = 500;
/** Numbers of messages and changes are 32 bits wide in the database. */
const MAX_COUNT = 2_147_483_647;

const limit = (most: number, usual: number) =>
  z.int().min(1).max(most).default(usual).meta({ description: 'Pages are bounded by bytes as well.' });

const Participant = z
  .object({ userId: Id, readUpToSeq: z.int().nonnegative(), deliveredUpToSeq: z.int().nonnegative() })
  .meta({ id: 'Participant' });

export const Conversation = z
  .object({
    id: Id,
    version: z.int().positive().meta({ description: 'The change counter.' }),
    participants: z.array(Participant),
    lastMessage: Message,
    unreadCount: z.int().nonnegative().meta({ description: "The other party's undeleted messages above readUpToSeq." }),
    lastSeq: z.int().positive(),
    readUpToSeq: z.int().nonnegative().meta({ description: "The caller's own marker." }),
  })
  .meta({ id: 'Conversation' });
export type Conversation = z.infer<typeof Conversation>;

const SyncedConversation = Conversation.extend({
  lastMessage: Message.optional().meta({ description: 'Left out where the page is full.' }),
  syncedTo: z.int().nonnegative().meta({ description: 'The cursor to use next.' }),
}).meta({ id: 'SyncedConversation' });
export type SyncedConversation = z.infer<typeof SyncedConversation>;

/** @param other the other way to say which conversation is meant */
const oneWay = (other: string) => ({ path: ['conversationId'], message: `must be given, or ${other} instead of it` });

const HistoryInput = z
  .object({
    conversationId: Id.optional(),
    userId: Id.optional().meta({ description: 'The other party, instead of the conversation.' }),
    beforeSeq: z.int().positive().max(MAX_COUNT).optional(),
    limit: limit(200, 50),
  })
  .refine(({ conversationId, userId }) => (conversationId === undefined) !== (userId === undefined), oneWay('userId'));

const Cursors = z
  .record(Id, z.int().nonnegative().max(MAX_COUNT))
  .refine(cursors => Object.keys(cursors).length <= MAX_CURSORS, `must name at most ${MAX_CURSORS} conversations`)
  .meta({ description: 'The version up to which each conversation is known; 0 for all of it.' });

export const conversationRequests = {
  'message:history': {
    summary: 'Messages of a conversation, oldest first: the latest, or those before `beforeSeq`.',
    input: HistoryInput,
    output: z.object({ messages: z.array(Message), hasMore: z.boolean() }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
  },
  'message:sync': {
    summary:
      'What the caller has missed: every message of the named conversations that was created, edited or deleted since, in version order within each, and the state of each conversation that changed or was not named. To be repeated with `syncedTo` until `hasMore` is false.',
    input: z.object({ cursors: Cursors, limit: limit(500, 200) }),
    output: z.object({
      messages: z.array(Message),
      conversations: z.array(SyncedConversation),
      hasMore: z.boolean(),
    }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
  },
  'conversation:list': {
    summary: "The caller's conversations, the one with the latest message first.",
    input: z.object({ cursor: z.string().max(256).optional(), limit: limit(200, 50) }).prefault({}),
    output: z.object({ conversations: z.array(Conversation), nextCursor: z.string().optional() }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
  },
} as const satisfies Record<string, UserRequestRow>;

const HeldConversation = z.object({
  conversationId: Id.optional(),
  userIds: z.tuple([Id, Id]).optional().meta({ description: 'The two people, instead of the conversation.' }),
});
const isOne = ({ conversationId, userIds }: z.infer<typeof HeldConversation>): boolean =>
  (conversationId === undefined) !== (userIds === undefined);

const LegalHold = z
  .object({
    id: Id,
    conversationId: Id,
    inForce: z.boolean(),
    reference: Id.optional().meta({ description: 'What the back office calls the case.' }),
    placedAt: Timestamp,
    placedBy: Id.meta({ description: 'The service that asked for it.' }),
    placedOnBehalfOf: Id.optional(),
    releasedAt: Timestamp.optional(),
    releasedBy: Id.optional(),
    releasedOnBehalfOf: Id.optional(),
  })
  .meta({ id: 'LegalHold', description: 'While it is in force, nothing of the conversation falls under retention.' });
export type LegalHold = z.infer<typeof LegalHold>;

export const conversationServiceRequests = {
  'conversation.hold': {
    summary: 'Puts a conversation under a legal hold. One that is in force stays as it is.',
    input: z.object({ ...HeldConversation.shape, reference: Id.optional() }).refine(isOne, oneWay('userIds')),
    output: LegalHold,
    answeredBy: 'messaging-service',
    askedBy: [],
  },
  'conversation.release': {
    summary:
      'Ends the legal hold of a conversation: what is past its retention goes. One that has ended stays as it is.',
    input: HeldConversation.refine(isOne, oneWay('userIds')),
    output: LegalHold,
    answeredBy: 'messaging-service',
    askedBy: [],
  },
} as const satisfies Record<string, ServiceRequestRow>;
