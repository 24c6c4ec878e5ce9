import type { UserRequest } from '@rapport/bus';
import type { Message } from '@rapport/contracts';
import type { Outbox } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { RequireContact } from './contact-policy.ts';
import type { DeliverMessage } from './deliver-message.ts';
import type { Seal } from '@rapport/service/seal';
import { writeMessage } from './write-message.ts';

/** Commits a message, then publishes it, then replies with it. */
export function createSendMessage(options: {
  pool: Pool;
  requireContact: RequireContact;
  seal: Seal;
  hashKey: string;
  outbox: Outbox;
  deliverMessage: DeliverMessage;
}) {
  const { pool, requireContact, seal, hashKey, outbox, deliverMessage } = options;
  return async ({ actor, input, socketId }: UserRequest<'message:send'>): Promise<Message> => {
    await requireContact(actor, input.recipientId);
    const { message, news } = await writeMessage(pool, { senderId: actor.userId, input, socketId }, seal, hashKey);
    if (news) {
      deliverMessage(message, socketId);
      outbox.publish(news);
    }
    return message;
  };
}
