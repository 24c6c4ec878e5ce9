import { deliver, type Bus } from '@rapport/bus';
import type { FactData } from '@rapport/contracts';
import type { Database, OutboxFact } from '@rapport/service/database';
import { RelationshipEntity } from './relationship.ts';

export type TellContacts = (change: FactData<'relationship.changed'>) => void;

/** Tells both that their relationship began or ended. When it ends, nobody goes on seeing the other type. */
export function createTellContacts(bus: Bus): TellContacts {
  return ({ clientUserId, therapistUserId, linked, version }) => {
    for (const [user, other] of [
      [clientUserId, therapistUserId],
      [therapistUserId, clientUserId],
    ] as const) {
      if (!linked) deliver(bus, { user }, 'user:typing', { userId: other, isTyping: false });
      deliver(bus, { user }, 'contact:changed', { userId: other, linked, version });
    }
  };
}

/** Does the same for a fact that was left over, unless the relationship has changed again since. */
export function createRetellContacts({ orm, tellContacts }: { orm: Database['orm']; tellContacts: TellContacts }) {
  return async ({ data }: OutboxFact<'relationship.changed'>): Promise<void> => {
    const now = await orm.em.fork().findOneOrFail(RelationshipEntity, { id: data.relationshipId });
    if (now.version === data.version) tellContacts(data);
  };
}
