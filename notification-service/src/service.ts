import { answerRequests } from '@rapport/bus';
import type { ProcessContext } from '@rapport/service';
import {
  assertMigrated,
  connectDatabase,
  startConsumers,
  startOutbox,
  unavailableWithoutDatabase,
} from '@rapport/service/database';
import { createSeal } from '@rapport/service/seal';
import packageJson from '../package.json' with { type: 'json' };
import { openChannels } from './channels.ts';
import { createCountUnread } from './count-unread.ts';
import { createCreateNotification } from './create-notification.ts';
import { database } from './database.ts';
import { startDelivering } from './deliver-outside.ts';
import { startKeepingTime } from './keep-time.ts';
import { createForgetDeletedMessage, createForgetReadMessages, READ_EVERY_MS } from './forget-messages.ts';
import { createListNotifications } from './list-notifications.ts';
import { createTellNews } from './news.ts';
import { createShowNotification } from './notification.ts';
import { createNotifyOfAppointment, createNotifyOfReminder } from './notify-of-appointment.ts';
import { startNotifyingOfMessages } from './notify-of-messages.ts';
import { createNotifyOfRelationship } from './notify-of-relationship.ts';
import { createAskPresence } from './presence.ts';
import { createArchiveNotification, createReadAllNotifications, createReadNotification } from './read-notifications.ts';
import { createFindRecipients } from './recipients.ts';
import { createGetPreferences, createSetPreferences } from './set-preferences.ts';
import { createGetProfile, createSetProfile } from './set-profile.ts';
import { createSubscribePush, createUnsubscribePush } from './subscribe-push.ts';
import { createTellAgain } from './tell-again.ts';
import { createTexts } from './texts.ts';
import { createConfirmUnsubscribe, createShowUnsubscribe } from './unsubscribe-page.ts';
import { createWaitForLook, WAIT_EVERY_MS } from './waiting-messages.ts';

const SERVICE = 'notification-service';

/** Starts the service: database, outbox, the facts it consumes, the channels that are on, then the answers. */
export async function startNotificationService(context: ProcessContext<typeof SERVICE>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const { orm, pool, ping, close } = await connectDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    definition: database,
  });
  onStop('database', close);
  await assertMigrated(orm);
  health.add('database', ping);

  const seal = createSeal(config.CONTENT_KEYS);
  const hashKey = config.BODY_HASH_KEY;
  const textsOf = createTexts();
  const show = createShowNotification({ seal, textsOf });
  const tellAgain = createTellAgain({ bus, pool, show });
  const outbox = await startOutbox<'notification.created' | 'notification.changed' | 'profile.changed'>({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: config.OUTBOX_RETENTION_HOURS,
    redeliver: {
      'notification.created': tellAgain.created,
      'notification.changed': tellAgain.changed,
      // A fact without a delivery: publishing it is all.
      'profile.changed': () => Promise.resolve(),
    },
  });
  const tellNews = createTellNews({ bus, pool, outbox, log, show });

  const channels = openChannels(config, seal, log);
  for (const channel of channels.values()) onStop('channel', () => channel.close());
  const askPresence = createAskPresence(bus, log);
  const findRecipients = createFindRecipients({ askPresence, channels: new Set(channels.keys()) });
  const escalateAfterMs = config.ESCALATE_AFTER_SECONDS * 1_000;

  const deliveries = metrics.counter('rapport_away_deliveries_total', 'Attempts to reach who is away, by outcome.', [
    'channel',
    'outcome',
  ]);
  for (const [channel, open] of channels) {
    startDelivering(
      {
        pool,
        log,
        seal,
        textsOf,
        askPresence,
        escalateAfterMs,
        retryFirstMs: config.DELIVERY_RETRY_FIRST_MS,
        counted: (name, outcome) => deliveries.inc({ channel: name, outcome }),
        stopping,
        onStop,
      },
      channel,
      open,
    );
  }
  startKeepingTime({ pool, log, tellNews, retentionDays: config.NOTIFICATION_RETENTION_DAYS, stopping, onStop });

  startNotifyingOfMessages({ pool, log, askPresence, findRecipients, tellNews, escalateAfterMs, stopping, onStop });

  const notifying = { findRecipients, tellNews, escalateAfterMs };
  startConsumers(
    { service: SERVICE, bus, pool, log, outboxRetentionHours: config.OUTBOX_RETENTION_HOURS, stopping, onStop },
    {
      'message.sent': { together: createWaitForLook({ pool, askPresence }), everyMs: WAIT_EVERY_MS },
      'message.read': { together: createForgetReadMessages({ pool, tellNews }), everyMs: READ_EVERY_MS },
      'message.deleted': createForgetDeletedMessage({ tellNews }),
      'relationship.changed': createNotifyOfRelationship(notifying),
      'appointment.booked': createNotifyOfAppointment(notifying, 'appointment.booked'),
      'appointment.confirmed': createNotifyOfAppointment(notifying, 'appointment.confirmed'),
      'appointment.cancelled': createNotifyOfAppointment(notifying, 'appointment.cancelled'),
      'appointment.rescheduled': createNotifyOfAppointment(notifying, 'appointment.rescheduled'),
      'appointment.completed': createNotifyOfAppointment(notifying, 'appointment.completed'),
      'appointment.missed': createNotifyOfAppointment(notifying, 'appointment.missed'),
      'reminder.sent': createNotifyOfReminder(notifying),
    },
  );

  const about = { version: packageJson.version, description: packageJson.description };
  const preferences = { orm, vapidPublicKey: config.VAPID_PUBLIC_KEY };
  const answering = await answerRequests(bus, SERVICE, about, {
    user: unavailableWithoutDatabase({
      'notification:list': createListNotifications({ pool, show }),
      'notification:read': createReadNotification({ pool, tellNews }),
      'notification:read-all': createReadAllNotifications({ pool, tellNews }),
      'notification:archive': createArchiveNotification({ pool, tellNews }),
      'notification:preferences': createGetPreferences(preferences),
      'notification:set-preferences': createSetPreferences(preferences),
      'push:subscribe': createSubscribePush({ pool, seal, hashKey, allowLoopback: config.PUSH_TO_LOOPBACK }),
      'push:unsubscribe': createUnsubscribePush({ pool, hashKey }),
    }),
    service: unavailableWithoutDatabase({
      'notification.create': createCreateNotification({
        pool,
        seal,
        hashKey,
        show,
        findRecipients,
        tellNews,
        escalateAfterMs,
      }),
      'profile.set': createSetProfile({ orm, seal, outbox }),
      'profile.get': createGetProfile({ orm, seal }),
    }),
    gateway: unavailableWithoutDatabase({
      'notification.unread-counts': createCountUnread({ pool }),
      'unsubscribe.show': createShowUnsubscribe({ orm, seal, textsOf }),
      'unsubscribe.confirm': createConfirmUnsubscribe({ orm, seal, textsOf }),
    }),
  });
  onStop('answers', () => answering.stop());
}
