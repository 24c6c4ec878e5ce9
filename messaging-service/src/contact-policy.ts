import { AppError, invalidPayload, type Actor, type Config } from '@rapport/contracts';
import { isLinked } from '@rapport/service/database';
import type { Pool } from 'pg';

/**
 * Whether the actor may write to the other user: under `open` anybody may, under `care-team` only people
 * with a live care relationship. Asked of the database each time, so that an end is in force at once.
 * @throws AppError `UNAUTHORIZED`, the same whether the other user exists or not;
 *   `INVALID_PAYLOAD` when the two are one
 */
export type RequireContact = (actor: Actor, recipientId: string) => Promise<void>;

export function createRequireContact(options: {
  policy: Config<'messaging-service'>['CONTACT_POLICY'];
  pool: Pool;
}): RequireContact {
  return async (actor, recipientId) => {
    if (recipientId === actor.userId) throw invalidPayload({ path: 'recipientId', message: 'must be another user' });
    if (options.policy === 'open' || (await isLinked(options.pool, actor.userId, recipientId))) return;
    throw new AppError('UNAUTHORIZED', 'you may not contact this user');
  };
}
