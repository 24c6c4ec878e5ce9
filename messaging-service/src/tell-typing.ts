import { deliver, type Bus, type UserRequest } from '@rapport/bus';
import { requireContact, type ContactPolicy } from './contact-policy.ts';

/** Tells the recipient that the caller is typing, or has stopped. Nothing is stored. */
export function createTellTyping({ bus, policy }: { bus: Bus; policy: ContactPolicy }) {
  return async ({ actor, input }: UserRequest<'message:typing'>): Promise<Record<string, never>> => {
    requireContact(policy, actor, input.recipientId);
    deliver(bus, { user: input.recipientId }, 'user:typing', { userId: actor.userId, isTyping: input.isTyping });
    return {};
  };
}
