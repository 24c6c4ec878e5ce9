import { defineEntity, p } from '@mikro-orm/core';

/** The channels that reach a user who is away. */
export type AwayChannel = 'webPush' | 'email';

/** Of e-mails there is one for each notification, of pushes one for each browser. */
export const NO_TARGET = '00000000-0000-0000-0000-000000000000';

/** One notification on its way to one place outside: never sent by two, and ended once. */
export const DeliveryEntity = defineEntity({
  name: 'Delivery',
  tableName: 'delivery',
  uniques: [{ name: 'delivery_once', properties: ['notificationId', 'channel', 'target'] }],
  properties: {
    id: p.uuid().primary(),
    notificationId: p.uuid(),
    channel: p.text().$type<AwayChannel>(),
    /** The push subscription. */
    target: p.uuid(),
    /** `sent`: taken over by the mail or push server. `dead`: given up, for operations to look at. */
    state: p.text().$type<'pending' | 'sent' | 'cancelled' | 'dead'>(),
    attempts: p.integer(),
    nextAttemptAt: p.datetime(3),
    /** Who is sending it, and until when nobody else may. */
    leaseId: p.uuid().nullable(),
    leasedUntil: p.datetime(3).nullable(),
    /** A code, never a text: what a mail server says may quote an address. */
    lastError: p.text().nullable(),
    createdAt: p.datetime(3),
    endedAt: p.datetime(3).nullable(),
  },
});
