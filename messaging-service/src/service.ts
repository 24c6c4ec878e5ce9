import { answerRequests } from '@rapport/bus';
import type { ProcessContext } from '@rapport/service';
import {
  assertMigrated,
  connectDatabase,
  connectPipeline,
  startOutbox,
  unavailableWithoutDatabase,
} from '@rapport/service/database';
import packageJson from '../package.json' with { type: 'json' };
import { createDeleteMessage, createEditMessage } from './change-message.ts';
import { createEndRelationship, createLinkRelationship } from './change-relationship.ts';
import { createCountUnread } from './count-unread.ts';
import { createRequireContact } from './contact-policy.ts';
import { database } from './database.ts';
import { createDeliverMarker, createRedeliverMarker } from './deliver-marker.ts';
import { createDeliverChange, createDeliverMessage, createRedeliverMessage } from './deliver-message.ts';
import { createHoldConversation, createReleaseConversation } from './hold-conversation.ts';
import { createListConversations } from './list-conversations.ts';
import { createListContacts, createListRelationships } from './list-relationships.ts';
import { createReadHistory } from './read-history.ts';
import { createReceipts } from './receipts.ts';
import { startRetention } from './retention.ts';
import { createHashKey, createSeal } from '@rapport/service/seal';
import { createSendMessage } from './send-message.ts';
import { createSyncMessages } from './sync-messages.ts';
import { createRetellContacts, createTellContacts } from './tell-contacts.ts';
import { createTellTyping } from './tell-typing.ts';

/** Connections of the hot path: one for each batch of messages that is written at the same time, one for markers. */
const WRITERS = 5;

/** Starts the service: database, outbox, then the answers to every request of the table that is its own. */
export async function startMessagingService(context: ProcessContext<'messaging-service'>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: connections } = config;
  // The others need two: the sweeper holds one while it rebuilds a delivery over another.
  const writers = Math.min(WRITERS, Math.floor(connections / 2));
  const poolSize = connections - writers;
  const { orm, pool, ping, close } = await connectDatabase({ url, poolSize, definition: database });
  onStop('database', close);
  await assertMigrated(orm);
  health.add('database', ping);

  const pipeline = connectPipeline({ url, size: writers, log });
  onStop('pipeline', () => pipeline.close());

  const requireContact = createRequireContact({ policy: config.CONTACT_POLICY, pool });
  const seal = createSeal(config.CONTENT_KEYS);
  const deliverMessage = createDeliverMessage(bus);
  const deliverChange = createDeliverChange(bus);
  const deliverMarker = createDeliverMarker(bus);
  const tellContacts = createTellContacts(bus);
  const redeliverChange = createRedeliverMessage({ orm, seal, deliverMessage: deliverChange });
  const outbox = await startOutbox<
    'message.sent' | 'message.edited' | 'message.deleted' | 'message.read' | 'relationship.changed'
  >({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: config.OUTBOX_RETENTION_HOURS,
    redeliver: {
      'message.sent': createRedeliverMessage({ orm, seal, deliverMessage }),
      'message.edited': redeliverChange,
      'message.deleted': redeliverChange,
      'message.read': createRedeliverMarker({ orm, deliverMarker }),
      'relationship.changed': createRetellContacts({ orm, tellContacts }),
    },
  });

  startRetention({ pool, log, days: config.MESSAGE_RETENTION_DAYS, stopping, onStop });

  const receipts = createReceipts({ pipeline, outbox, deliverMarker });
  const changing = { orm, seal, requireContact, outbox, deliverChange };
  const about = { version: packageJson.version, description: packageJson.description };
  const hashKey = createHashKey(config.BODY_HASH_KEY);
  const open = config.CONTACT_POLICY === 'open';
  const answering = await answerRequests(bus, 'messaging-service', about, {
    user: unavailableWithoutDatabase({
      'message:send': createSendMessage({
        pipeline,
        open,
        seal,
        hashKey,
        attachmentHosts: config.ATTACHMENT_HOSTS,
        outbox,
        deliverMessage,
        metrics,
      }),
      'message:edit': createEditMessage(changing),
      'message:delete': createDeleteMessage(changing),
      'message:read': receipts.read,
      'message:delivered': receipts.delivered,
      'message:history': createReadHistory({ pool, seal }),
      'message:sync': createSyncMessages({ pool, seal }),
      'conversation:list': createListConversations({ pool, seal }),
      'message:typing': createTellTyping({ bus, requireContact }),
      'contact:list': createListContacts({ pool }),
    }),
    service: unavailableWithoutDatabase({
      'conversation.hold': createHoldConversation({ orm }),
      'conversation.release': createReleaseConversation({ orm }),
      'relationship.link': createLinkRelationship({ orm, outbox, tellContacts }),
      'relationship.end': createEndRelationship({ orm, outbox, tellContacts }),
      'relationship.list': createListRelationships({ orm }),
    }),
    gateway: unavailableWithoutDatabase({ 'message.unread-counts': createCountUnread({ pool }) }),
  });
  onStop('answers', () => answering.stop());
}
