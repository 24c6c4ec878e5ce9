import { Encoded, type UserRequest } from '@rapport/bus';
import type { Actor, Message } from '@rapport/contracts';
import type { Database, Outbox } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import { validate as isUuid } from 'uuid';
import type { RequireContact } from './contact-policy.ts';
import { notYours } from './conversation.ts';
import type { DeliverChange } from './deliver-message.ts';
import { MessageEntity } from './message.ts';
import { writeDeletion, writeEdit, type WrittenChange } from './write-change.ts';

interface ChangeMessageOptions {
  orm: Database['orm'];
  seal: Seal;
  requireContact: RequireContact;
  outbox: Outbox;
  deliverChange: DeliverChange;
}

/** Answers `message:edit`: an own message, to somebody to whom the caller may still write. */
export function createEditMessage(options: ChangeMessageOptions) {
  return async ({ actor, input, socketId }: UserRequest<'message:edit'>): Promise<Encoded<Message>> => {
    const own = await findOwn(options.orm, actor, input.messageId);
    await options.requireContact(actor, own.recipientId);
    return publish(options, await writeEdit(options, { ...own, content: input.content, socketId }), socketId);
  };
}

/**
 * Answers `message:delete`. It is allowed when the two may not write to each other any more: it says nothing to
 * anybody, and people may take back what they once confided.
 */
export function createDeleteMessage(options: ChangeMessageOptions) {
  return async ({ actor, input, socketId }: UserRequest<'message:delete'>): Promise<Encoded<Message>> => {
    const own = await findOwn(options.orm, actor, input.messageId);
    return publish(options, await writeDeletion(options, { ...own, socketId }), socketId);
  };
}

/** @throws AppError `UNAUTHORIZED` when the message is not there or not the actor's: nobody can tell which */
async function findOwn(orm: Database['orm'], actor: Actor, messageId: string) {
  if (!isUuid(messageId)) throw notYours();
  const message = await orm.em
    .fork()
    .findOne(
      MessageEntity,
      { id: messageId, senderId: actor.userId },
      { fields: ['id', 'conversationId', 'recipientId'] },
    );
  if (!message) throw notYours();
  return { messageId: message.id, conversationId: message.conversationId, recipientId: message.recipientId };
}

function publish(
  { deliverChange, outbox }: ChangeMessageOptions,
  { message, news }: WrittenChange,
  socketId: string | undefined,
): Encoded<Message> {
  const encoded = new Encoded(message);
  if (news) {
    deliverChange(encoded, socketId);
    outbox.publish(news);
  }
  return encoded;
}
