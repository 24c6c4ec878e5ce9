import type { Actor, ServiceActor } from '@rapport/contracts';
import type { Party } from './transitions.ts';

/** Who asks for something, as the subject of the request proves it. */
export type Caller =
  | { readonly kind: 'user'; readonly userId: string; readonly role: Actor['role']; readonly therapistId: string }
  | { readonly kind: 'service'; readonly service: string; readonly onBehalfOf: string | undefined }
  | { readonly kind: 'system' };

export function userCaller({ userId, role, therapistId }: Actor): Caller {
  return { kind: 'user', userId, role, therapistId: ownTherapistId({ userId, therapistId }) };
}

/** The room and calendar of a therapist: their user id where the token names no other. */
export function ownTherapistId({ userId, therapistId }: Pick<Actor, 'userId' | 'therapistId'>): string {
  return therapistId ?? userId;
}

export function serviceCaller({ service, onBehalfOf }: ServiceActor): Caller {
  return { kind: 'service', service, onBehalfOf };
}

/** What the caller is to an appointment of these two; `undefined`: nothing. */
export function partyOf(caller: Caller, of: { clientId: string; therapistId: string }): Party | undefined {
  if (caller.kind === 'system') return 'system';
  if (caller.kind === 'service' || caller.role === 'admin') return 'office';
  if (caller.role === 'therapist' && caller.therapistId === of.therapistId) return 'therapist';
  return caller.userId === of.clientId ? 'client' : undefined;
}

/** The user who did it, or for whom it was done. */
export function responsibleUser(caller: Caller): string | undefined {
  if (caller.kind === 'user') return caller.userId;
  return caller.kind === 'service' ? caller.onBehalfOf : undefined;
}
