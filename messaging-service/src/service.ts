import { answerUsers } from '@rapport/bus';
import type { ProcessContext } from '@rapport/service';
import { assertMigrated, connectDatabase, startOutbox } from '@rapport/service/database';
import packageJson from '../package.json' with { type: 'json' };
import { database } from './database.ts';
import { createDeliverMessage, createRedeliverMessage } from './deliver-message.ts';
import { createSeal } from './seal.ts';
import { createSendMessage } from './send-message.ts';
import { createTellTyping } from './tell-typing.ts';

/** Starts the service: database, outbox, then the answers to every request of the table that is its own. */
export async function startMessagingService(context: ProcessContext<'messaging-service'>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const { orm, pool } = await connectDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    definition: database,
  });
  onStop('database', () => orm.close(true));
  await assertMigrated(orm);
  health.add('database', async () => void (await pool.query('select 1')));

  const policy = config.CONTACT_POLICY;
  const seal = createSeal(config.CONTENT_KEYS);
  const deliverMessage = createDeliverMessage(bus);
  const outbox = await startOutbox<'message.sent'>({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: config.OUTBOX_RETENTION_HOURS,
    redeliver: { 'message.sent': createRedeliverMessage({ orm, seal, deliverMessage }) },
  });

  const about = { version: packageJson.version, description: packageJson.description };
  const answering = await answerUsers(bus, 'messaging-service', about, {
    'message:send': createSendMessage({ pool, policy, seal, hashKey: config.BODY_HASH_KEY, outbox, deliverMessage }),
    'message:typing': createTellTyping({ bus, policy }),
  });
  onStop('answers', () => answering.stop());
}
