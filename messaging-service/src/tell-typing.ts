import { deliver, type Bus, type UserRequest } from '@rapport/bus';
import type { RequireContact } from './contact-policy.ts';

/** Tells the recipient that the caller is typing, or has stopped. Nothing is stored. */
export function createTellTyping({ bus, requireContact }: { bus: Bus; requireContact: RequireContact }) {
  return async ({ actor, input }: UserRequest<'message:typing'>): Promise<Record<string, never>> => {
    await requireContact(actor, input.recipientId);
    deliver(bus, { user: input.recipientId }, 'user:typing', { userId: actor.userId, isTyping: input.isTyping });
    return {};
  };
}
