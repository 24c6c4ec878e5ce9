import {
  OutboxEntity,
  outboxRows,
  relationshipProjection,
  serviceTables,
  type DatabaseDefinition,
} from '@rapport/service/database';
import { DeliveryEntity } from './delivery.ts';
import { messagesTogether } from './migrations/2026-11-26-messages-together.ts';
import { notifications } from './migrations/2026-11-25-notifications.ts';
import { waitingMessages } from './migrations/2026-11-25-waiting-messages.ts';
import { batchesHeard } from './migrations/2026-11-25-batches-heard.ts';
import { NotificationEntity } from './notification.ts';
import { PreferenceEntity } from './preference.ts';
import { ProfileEntity } from './profile.ts';
import { PushSubscriptionEntity } from './push-subscription.ts';

export const database: DatabaseDefinition = {
  entities: [ProfileEntity, PreferenceEntity, PushSubscriptionEntity, NotificationEntity, DeliveryEntity, OutboxEntity],
  migrations: [
    serviceTables,
    relationshipProjection,
    notifications,
    waitingMessages,
    batchesHeard,
    outboxRows,
    messagesTogether,
  ],
};
