import { randomUUID } from 'node:crypto';
import type { Actor, FactData, Message, MessageSendInput } from '@rapport/contracts';

export const ALICE = { userId: 'alice', role: 'client' } as const satisfies Actor;

export const HELLO: MessageSendInput = { recipientId: 'bob', content: 'hello', messageType: 'TEXT' };

export function aMessage(content: string): Message {
  return {
    id: randomUUID(),
    senderId: 'alice',
    content,
    createdAt: '2026-11-23T09:00:00.000Z',
    messageType: 'TEXT',
    recipientId: 'bob',
    conversationId: 'alice_bob',
    seq: 1,
    version: 1,
    previousVersion: 0,
  };
}

/** A fact about the message number `seq` of a conversation. */
export function aFact(seq = 1): { id: string; time: Date; data: FactData<'message.sent'> } {
  const { senderId, recipientId, conversationId, messageType, createdAt } = aMessage('');
  const data = { messageId: randomUUID(), conversationId, senderId, recipientId, messageType, seq, version: seq };
  return { id: randomUUID(), time: new Date(createdAt), data: { ...data, createdAt } };
}
