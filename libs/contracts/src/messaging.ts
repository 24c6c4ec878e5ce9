import { z } from 'zod';
import { healthData } from './health-data.ts';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import type { DeliveryRow, FactRow, UserRequestRow } from './rows.ts';
import { Text } from './text.ts';

const MESSAGE_TYPES = ['TEXT', 'IMAGE', 'FILE', 'AUDIO', 'VIDEO'] as const;
type MessageType = (typeof MESSAGE_TYPES)[number];

/** What a person reads in one go; a longer text is a document and belongs in an attachment. */
export const MAX_CONTENT_CHARACTERS = 10_000;

function isHttpsUrl(text: string): boolean {
  if (!/^https:\/\/[^\s\p{Cc}]+$/iu.test(text)) return false;
  const url = URL.parse(text);
  return url !== null && url.hostname !== '' && url.username === '' && url.password === '';
}

const atMost = (limit: number) => (text: string) => text.length <= limit || [...text].length <= limit;

const Attachment = z
  .object({
    // Checked by hand, because a URL parser mends what it reads, and this is kept as it came.
    url: Text.max(2_048).refine(isHttpsUrl, 'must be an https URL without user, password or white space'),
    name: Text.min(1).max(255),
    mimeType: Text.max(255).regex(/^[\w.+-]+\/[\w.+-]+$/, 'must be a media type such as image/png'),
    size: z.int().nonnegative().meta({ description: 'Bytes.' }),
  })
  .meta({ id: 'Attachment' });

const Content = healthData(
  Text.min(1, 'must not be empty')
    .refine(atMost(MAX_CONTENT_CHARACTERS), `must be at most ${MAX_CONTENT_CHARACTERS} characters`)
    .meta({ description: `1 to ${MAX_CONTENT_CHARACTERS} characters, not blank for TEXT, kept byte for byte.` }),
);

/** The rule that a schema of the text alone cannot express: an edit knows its type only from the database. */
export const BLANK_TEXT = { path: 'content', message: 'must not be blank for TEXT' } as const;

export function isBlankText(messageType: MessageType, content: string): boolean {
  return messageType === 'TEXT' && content.trim() === '';
}

export const MessageSendInput = z
  .object({
    recipientId: Id,
    content: Content,
    messageType: z.enum(MESSAGE_TYPES).default('TEXT'),
    clientMessageId: Id.optional().meta({
      description: 'Makes the send idempotent for good: the same id with the same body returns the first message.',
    }),
    replyToId: Id.optional().meta({ description: 'A message of the same conversation.' }),
    attachment: healthData(Attachment).optional(),
  })
  .superRefine((input, context) => {
    if (isBlankText(input.messageType, input.content)) {
      context.addIssue({ code: 'custom', path: [BLANK_TEXT.path], message: BLANK_TEXT.message });
    }
    if (input.messageType !== 'TEXT' && !input.attachment) {
      context.addIssue({ code: 'custom', path: ['attachment'], message: 'is required for every type but TEXT' });
    }
  })
  .meta({ id: 'MessageSendInput', description: 'Every type but TEXT needs an attachment.' });
export type MessageSendInput = z.infer<typeof MessageSendInput>;

export const Message = z
  .object({
    id: Id,
    senderId: Id,
    content: healthData(z.string()).optional().meta({ description: 'Not there once the message is deleted.' }),
    createdAt: Timestamp,
    messageType: z.enum(MESSAGE_TYPES),
    recipientId: Id,
    conversationId: Id,
    seq: z.int().positive().meta({ description: 'Dense (1, 2, 3…) per conversation, in commit order.' }),
    version: z.int().positive().meta({ description: "The conversation's change counter after this change." }),
    previousVersion: z.int().nonnegative().meta({ description: 'The change counter before it.' }),
    clientMessageId: Id.optional(),
    replyToId: Id.optional(),
    attachment: healthData(Attachment).optional(),
    editedAt: Timestamp.optional(),
    deletedAt: Timestamp.optional(),
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

const TypingInput = z.object({ recipientId: Id, isTyping: z.boolean() });

const Nothing = z.object({});

export const messagingRequests = {
  'message:send': {
    summary: 'Sends a message to another user.',
    input: MessageSendInput,
    output: Message,
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: true,
    batched: true,
  },
  'message:edit': {
    summary: 'Replaces the content of an own message.',
    input: z.object({ messageId: Id, content: Content }),
    output: Message,
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: true,
  },
  'message:delete': {
    summary: 'Takes back an own message: what is left has no content, and keeps its place.',
    input: z.object({ messageId: Id }),
    output: Message,
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: true,
  },
  'message:typing': {
    summary: 'Tells another user that the caller is typing, or has stopped.',
    input: TypingInput,
    output: Nothing,
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: true,
  },
} as const satisfies Record<string, UserRequestRow>;

export const messagingDeliveries = {
  'message:received': {
    summary: 'A new message for this user.',
    payload: Message,
    publishedBy: 'messaging-service',
    to: ['user'],
  },
  'message:sent': {
    summary: 'A message that this user sent from another of their sockets.',
    payload: Message,
    publishedBy: 'messaging-service',
    to: ['user'],
  },
  'message:edited': {
    summary: 'The content of a message was replaced; to every socket of both but the one that did it.',
    payload: Message,
    publishedBy: 'messaging-service',
    to: ['user'],
  },
  'message:deleted': {
    summary: 'A message was taken back, and has no content any more; to every socket of both but the one that did it.',
    payload: Message,
    publishedBy: 'messaging-service',
    to: ['user'],
  },
  'user:typing': {
    summary: 'Somebody is typing to this user, or has stopped.',
    payload: z.object({ userId: Id, isTyping: z.boolean() }),
    publishedBy: 'messaging-service',
    to: ['user'],
    droppable: true,
  },
} as const satisfies Record<string, DeliveryRow>;

const ChangedMessage = z.object({
  messageId: Id,
  conversationId: Id,
  senderId: Id,
  recipientId: Id,
  seq: z.int().positive(),
  version: z.int().positive(),
});

export const messagingFacts = {
  'message.edited': {
    summary: 'The content of a message was replaced.',
    data: ChangedMessage,
    publishedBy: 'messaging-service',
    consumedBy: [],
  },
  'message.deleted': {
    summary: 'A message was taken back by its sender.',
    data: ChangedMessage,
    publishedBy: 'messaging-service',
    consumedBy: ['notification-service'],
  },
  'message.sent': {
    summary: 'A message was committed.',
    data: z.object({
      messageId: Id,
      conversationId: Id,
      senderId: Id,
      recipientId: Id,
      messageType: z.enum(MESSAGE_TYPES),
      seq: z.int().positive(),
      version: z.int().positive(),
      createdAt: Timestamp,
    }),
    publishedBy: 'messaging-service',
    consumedBy: ['notification-service'],
  },
} as const satisfies Record<string, FactRow>;
