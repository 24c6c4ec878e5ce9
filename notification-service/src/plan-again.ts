import { newId } from '@rapport/service';
import type { PoolClient } from 'pg';
import type { NotificationRow } from './notification.ts';
import { placesFor, type Recipient } from './recipients.ts';

/** Between two pushes about one notification that grows. A push replaces the one before it on the screen. */
const PUSH_AGAIN_AFTER_MS = 60_000;

/**
 * A notification has grown: it is pushed again, but not more often than once a minute; one that still waits says it
 * all when it goes out. An e-mail stays alone until the notification is read.
 */
export async function planAgain(
  client: PoolClient,
  row: NotificationRow,
  recipient: Recipient,
  now: Date,
): Promise<void> {
  const planned = placesFor(recipient, row.type, now, 0);
  if (planned.length === 0) return;
  await client.query({
    name: 'delivery-again',
    text: `insert into delivery (id, notification_id, channel, target, state, attempts, next_attempt_at, created_at)
           select id, $2, channel, target, 'pending', 0, $5, $5
             from unnest($1::uuid[], $3::text[], $4::uuid[]) as d (id, channel, target)
           on conflict (notification_id, channel, target) do update
             set state = 'pending', attempts = 0, last_error = null, ended_at = null,
                 next_attempt_at = greatest($5, delivery.ended_at + $6 * interval '1 millisecond')
           where excluded.channel = 'webPush' and delivery.state <> 'pending'`,
    values: [
      planned.map(() => newId()),
      row.id,
      planned.map(({ place }) => place.channel),
      planned.map(({ place }) => place.target),
      now,
      PUSH_AGAIN_AFTER_MS,
    ],
  });
}

/**
 * What grew while a push of it was under way is pushed again too: its delivery was still pending then. In the
 * transaction that has just written `sent`, so that whoever lets it grow sees one or the other.
 * @param toldOf when the notification had last grown, as the push knew it
 */
export async function planAgainIfGrown(client: PoolClient, deliveryId: string, toldOf: Date): Promise<void> {
  await client.query({
    name: 'delivery-grown',
    text: `update delivery d
              set state = 'pending', attempts = 0, ended_at = null,
                  next_attempt_at = d.ended_at + $3 * interval '1 millisecond'
             from notification n
            where d.id = $1 and d.channel = 'webPush' and d.state = 'sent'
              and n.id = d.notification_id and n.touched_at <> $2`,
    values: [deliveryId, toldOf, PUSH_AGAIN_AFTER_MS],
  });
}
