import { deliver, Encoded, type Bus } from '@rapport/bus';
import type { Message } from '@rapport/contracts';
import type { Database, OutboxFact } from '@rapport/service/database';
import { MessageEntity, toMessage } from './message.ts';
import type { Seal } from '@rapport/service/seal';

/** @param exceptSocket the socket that sent the message: it has it in its ack */
export type DeliverMessage = (message: Encoded<Message>, exceptSocket: string | undefined) => void;

/** Sends a message to the recipient's sockets and to the sender's other ones. */
export function createDeliverMessage(bus: Bus): DeliverMessage {
  return (message, exceptSocket) => {
    deliver(bus, { user: message.value.recipientId }, 'message:received', message);
    deliver(bus, { user: message.value.senderId }, 'message:sent', message, { except: exceptSocket });
  };
}

/** Does the same, or tells of a change, from what the database has, for a fact that was left over. */
export function createRedeliverMessage(options: { orm: Database['orm']; seal: Seal; deliverMessage: DeliverMessage }) {
  return async (row: OutboxFact<'message.sent' | 'message.edited' | 'message.deleted'>): Promise<void> => {
    const message = await options.orm.em.fork().findOneOrFail(MessageEntity, { id: row.data.messageId });
    options.deliverMessage(new Encoded(toMessage(message, options.seal)), row.exceptSocket);
  };
}

/** Tells every other socket of both that a message is not what it was: edited, or deleted and without content. */
export type DeliverChange = DeliverMessage;

export function createDeliverChange(bus: Bus): DeliverChange {
  return (message, exceptSocket) => {
    const event = message.value.deletedAt === undefined ? 'message:edited' : 'message:deleted';
    deliver(bus, { user: message.value.recipientId }, event, message);
    deliver(bus, { user: message.value.senderId }, event, message, { except: exceptSocket });
  };
}
