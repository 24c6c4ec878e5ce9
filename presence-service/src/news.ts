import type { DeliveryPayload, Status } from '@rapport/contracts';

/** A person is shown another status than before. */
export interface Change {
  readonly userId: string;
  /** What they were shown as; `undefined` to somebody who may not have been shown anything. */
  readonly from: Status | undefined;
  readonly to: Status;
  readonly lastSeenAt: Date | null;
  /** Of the person's presence. */
  readonly version: number;
}

type NewsName = 'user:online' | 'user:offline' | 'user:presence';

/** An event about a person. */
export type News = { [N in NewsName]: { readonly event: N; readonly payload: DeliveryPayload<N> } }[NewsName];

/** The events that tell a change, in order. */
export function newsOf({ userId, from, to, lastSeenAt }: Change): News[] {
  if (to === 'offline') {
    return [{ event: 'user:offline', payload: { userId, lastSeenAt: lastSeenAt?.toISOString() ?? null } }];
  }
  const arrival: News[] =
    from === undefined || from === 'offline' ? [{ event: 'user:online', payload: { userId } }] : [];
  if (to === 'online' && arrival.length > 0) return arrival;
  return [...arrival, { event: 'user:presence', payload: { userId, status: to } }];
}
