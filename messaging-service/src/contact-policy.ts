import { AppError, invalidPayload, type Actor, type Config } from '@rapport/contracts';

export type ContactPolicy = Config<'messaging-service'>['CONTACT_POLICY'];

/**
 * Whether the actor may write to the other user. Under `care-team` only people with a live care
 * relationship may, and none can be recorded yet: everything is refused.
 * @throws AppError `UNAUTHORIZED`, the same whether the other user exists or not;
 *   `INVALID_PAYLOAD` when the two are one
 */
export function requireContact(policy: ContactPolicy, actor: Actor, recipientId: string): void {
  if (recipientId === actor.userId) throw invalidPayload({ path: 'recipientId', message: 'must be another user' });
  if (policy !== 'open') throw new AppError('UNAUTHORIZED', 'you may not contact this user');
}
