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
import { createEndRelationship, createLinkRelationship } from './change-relationship.ts';
import { createRequireContact } from './contact-policy.ts';
import { database } from './database.ts';
import { createDeliverMessage, createRedeliverMessage } from './deliver-message.ts';
import { createListContacts, createListRelationships } from './list-relationships.ts';
import { createSeal } from '@rapport/service/seal';
import { createSendMessage } from './send-message.ts';
import { createRetellContacts, createTellContacts } from './tell-contacts.ts';
import { createTellTyping } from './tell-typing.ts';

/** Connections of the hot path: one for each batch of messages that is written at the same time. */
const WRITERS = 4;

/** Starts the service: database, outbox, then the answers to every request of the table that is its own. */
export async function startMessagingService(context: ProcessContext<'messaging-service'>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: connections } = config;
  const writers = Math.min(WRITERS, Math.ceil(connections / 2));
  const poolSize = Math.max(1, connections - writers);
  const { orm, pool, ping, close } = await connectDatabase({ url, poolSize, definition: database });
  onStop('database', close);
  await assertMigrated(orm);
  health.add('database', ping);

  const pipeline = connectPipeline({ url, size: writers, log });
  onStop('pipeline', () => pipeline.close());

  const requireContact = createRequireContact({ policy: config.CONTACT_POLICY, pool });
  const seal = createSeal(config.CONTENT_KEYS);
  const deliverMessage = createDeliverMessage(bus);
  const tellContacts = createTellContacts(bus);
  const outbox = await startOutbox<'message.sent' | 'relationship.changed'>({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: config.OUTBOX_RETENTION_HOURS,
    redeliver: {
      'message.sent': createRedeliverMessage({ orm, seal, deliverMessage }),
      'relationship.changed': createRetellContacts({ orm, tellContacts }),
    },
  });

  const about = { version: packageJson.version, description: packageJson.description };
  const hashKey = config.BODY_HASH_KEY;
  const open = config.CONTACT_POLICY === 'open';
  const answering = await answerRequests(bus, 'messaging-service', about, {
    user: unavailableWithoutDatabase({
      'message:send': createSendMessage({ pipeline, open, seal, hashKey, outbox, deliverMessage, metrics }),
      'message:typing': createTellTyping({ bus, requireContact }),
      'contact:list': createListContacts({ pool }),
    }),
    service: unavailableWithoutDatabase({
      'relationship.link': createLinkRelationship({ orm, outbox, tellContacts }),
      'relationship.end': createEndRelationship({ orm, outbox, tellContacts }),
      'relationship.list': createListRelationships({ orm }),
    }),
  });
  onStop('answers', () => answering.stop());
}
