import type { Message } from '@rapport/contracts';

/** A message as the messaging service delivers it, with two sentences in it. */
export function sampleMessage(recipientId: string, content = 'x'.repeat(120)): Message {
  return {
    id: '0193577e-7c1b-7d3f-9c52-0d3b5a1f6f10',
    senderId: 'therapist-1',
    content,
    createdAt: '2026-11-23T15:00:00.000Z',
    messageType: 'TEXT',
    recipientId,
    conversationId: '0193577e-7c1b-7d3f-9c52-0d3b5a1f6f11',
    seq: 1_234,
    version: 2_345,
    previousVersion: 2_344,
  };
}
