import { LockMode, type EntityManager } from '@mikro-orm/postgresql';
import type { ServiceRequest } from '@rapport/bus';
import { AppError, type LegalHold } from '@rapport/contracts';
import { newId } from '@rapport/service';
import { inUnitOfWork, type Database } from '@rapport/service/database';
import { validate as isUuid } from 'uuid';
import { ConversationEntity, participants } from './conversation.ts';
import { LegalHoldEntity, toLegalHold } from './legal-hold.ts';

interface HoldOptions {
  orm: Database['orm'];
}

/** Which conversation: its id, or the two people. */
interface Which {
  conversationId?: string | undefined;
  userIds?: readonly [string, string] | undefined;
}

/**
 * Puts a conversation under a legal hold. Under the lock of the conversation, which what falls under retention is
 * taken away under too: once this is answered, nothing goes any more.
 */
export function createHoldConversation({ orm }: HoldOptions) {
  return ({ actor, input }: ServiceRequest<'conversation.hold'>): Promise<LegalHold> =>
    inUnitOfWork(orm, async em => {
      const conversationId = await lockConversation(em, input);
      const known = await em.findOne(LegalHoldEntity, { conversationId, releasedAt: null });
      if (known) return toLegalHold(known);
      const hold = em.create(LegalHoldEntity, {
        id: newId(),
        conversationId,
        reference: input.reference ?? null,
        placedAt: new Date(),
        placedBy: actor.service,
        placedOnBehalfOf: actor.onBehalfOf ?? null,
      });
      return toLegalHold(hold);
    });
}

/** Ends it. @throws AppError `NOT_FOUND` when there never was one */
export function createReleaseConversation({ orm }: HoldOptions) {
  return ({ actor, input }: ServiceRequest<'conversation.release'>): Promise<LegalHold> =>
    inUnitOfWork(orm, async em => {
      const conversationId = await lockConversation(em, input);
      const [latest] = await em.find(LegalHoldEntity, { conversationId }, { orderBy: { id: 'desc' }, limit: 1 });
      if (!latest) throw new AppError('NOT_FOUND', 'the conversation never was under a legal hold');
      if (!latest.releasedAt) {
        Object.assign(latest, {
          releasedAt: new Date(),
          releasedBy: actor.service,
          releasedOnBehalfOf: actor.onBehalfOf ?? null,
        });
      }
      return toLegalHold(latest);
    });
}

async function lockConversation(em: EntityManager, { conversationId, userIds }: Which): Promise<string> {
  const pair = userIds && participants(...userIds);
  const found = await em.findOne(
    ConversationEntity,
    // An id that is none finds nothing, and is no error of the database.
    pair ? { userA: pair[0], userB: pair[1] } : { id: isUuid(conversationId) ? (conversationId ?? null) : null },
    { lockMode: LockMode.PESSIMISTIC_WRITE },
  );
  if (!found) throw new AppError('NOT_FOUND', 'there is no such conversation');
  return found.id;
}
