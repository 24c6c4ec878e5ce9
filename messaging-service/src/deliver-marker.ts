import { deliver, Encoded, type Bus } from '@rapport/bus';
import type { Database, OutboxFact } from '@rapport/service/database';
import { MessageEntity } from './message.ts';
import type { MovedMarker } from './move-markers.ts';

export type DeliverMarker = (marker: MovedMarker) => void;

/**
 * Tells both how far one of them has come. The socket that said it has read has that in its ack.
 *
 * A delivered marker has no outbox row, so a crash right after its commit leaves it untold: the next event of the
 * conversation shows the gap in the versions, and catching up brings it. It is one of the two that come with every
 * message, and nobody waits for it.
 */
export function createDeliverMarker(bus: Bus): DeliverMarker {
  return ({ kind, conversationId, messageId, seq, userId, otherUserId, version, at, exceptSocket }) => {
    const where = { conversationId, messageId, seq, version, previousVersion: version - 1 };
    if (kind === 'read') {
      const payload = new Encoded({ ...where, readBy: userId, readAt: at.toISOString() });
      deliver(bus, { user: otherUserId }, 'message:read', payload);
      deliver(bus, { user: userId }, 'message:read', payload, { except: exceptSocket });
    } else {
      const payload = new Encoded({ ...where, deliveredTo: userId, deliveredAt: at.toISOString() });
      deliver(bus, { user: otherUserId }, 'message:delivered', payload);
      deliver(bus, { user: userId }, 'message:delivered', payload);
    }
  };
}

/** Does the same for a fact that was left over. */
export function createRedeliverMarker({ orm, deliverMarker }: { orm: Database['orm']; deliverMarker: DeliverMarker }) {
  return async ({ data, exceptSocket }: OutboxFact<'message.read'>): Promise<void> => {
    const { conversationId, readUpToSeq: seq, userId, otherUserId, version, readAt } = data;
    const { id: messageId } = await orm.em
      .fork()
      .findOneOrFail(MessageEntity, { conversationId, seq }, { fields: ['id'] });
    const at = new Date(readAt);
    deliverMarker({ kind: 'read', conversationId, messageId, seq, userId, otherUserId, version, at, exceptSocket });
  };
}
