import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Seal } from '@rapport/service/seal';

/** A browser that shows its user's notifications while they are away. */
export const PushSubscriptionEntity = defineEntity({
  name: 'PushSubscription',
  tableName: 'push_subscription',
  uniques: [{ name: 'push_subscription_endpoint', properties: ['endpointHash'] }],
  indexes: [{ name: 'push_subscription_user', properties: ['userId'] }],
  properties: {
    id: p.uuid().primary(),
    userId: p.text(),
    /** Keyed: by it an endpoint is found that is stored encrypted. */
    endpointHash: p.blob(),
    /** Endpoint and keys, encrypted: whoever has them may push to the browser. */
    sealed: p.blob(),
    keyId: p.text(),
    createdAt: p.datetime(3),
  },
});
export type PushSubscriptionRow = InferEntity<typeof PushSubscriptionEntity>;

/** What is encrypted of a subscription. */
export interface Browser {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

export function browserOf(subscriptionId: string): string {
  return `push/${subscriptionId}`;
}

export function openBrowser(row: Pick<PushSubscriptionRow, 'id' | 'sealed' | 'keyId'>, seal: Seal): Browser {
  return seal.open(row.sealed, row.keyId, browserOf(row.id)) as Browser;
}
