import { answerRequests } from '@rapport/bus';
import type { ProcessContext } from '@rapport/service';
import {
  assertMigrated,
  connectDatabase,
  connectPipeline,
  repeat,
  startConsumers,
  unavailableWithoutDatabase,
} from '@rapport/service/database';
import packageJson from '../package.json' with { type: 'json' };
import { createAnnounce, type AnnounceOptions } from './announce.ts';
import { createAttention } from './attention.ts';
import { createChangeRelationship } from './change-relationship.ts';
import { database } from './database.ts';
import { createGetPresence, createGetPresenceForService } from './get-presence.ts';
import { observePresence } from './observe.ts';
import { createStatePresence } from './presence-state.ts';
import { createReportSessions } from './report-sessions.ts';
import { createListRevocations, createRevokeSessions } from './revoke-sessions.ts';
import { createSweep } from './sweep.ts';

/** How often what is due is looked for: a grace of five seconds may last this much longer. */
const SWEEP_EVERY_MS = 250;
/** Of reports, and of the sweep: a gateway makes one report at a time. */
const REPORTING_CONNECTIONS = 4;

/** Starts the service: database, what time does, facts, then the answers to every request of the table that is its own. */
export async function startPresenceService(context: ProcessContext<'presence-service'>): Promise<void> {
  const { bus, config, health, log, metrics, onStop, stopping } = context;
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: connections } = config;
  const reporters = Math.min(REPORTING_CONNECTIONS, Math.floor(connections / 2));
  const poolSize = connections - reporters;
  const { orm, pool, ping, close } = await connectDatabase({ url, poolSize, definition: database });
  onStop('database', close);
  await assertMigrated(orm);
  health.add('database', ping);

  // For the hot path: statements are planned once, and sent without waiting for the answer to the one before.
  const reporting = connectPipeline({ url, size: reporters, log });
  onStop('reporting connections', () => reporting.close());

  const policy = config.CONTACT_POLICY;
  const grace = { afterEnd: config.PRESENCE_GRACE_MS, afterLoss: config.PRESENCE_LEASE_MS };
  const announcing: AnnounceOptions = { bus, pool: reporting.pool, policy, count: observePresence(metrics, pool) };
  const announce = createAnnounce(announcing);

  const look = createAttention(bus, pool);
  const sweep = createSweep({ pool: reporting.pool, grace, announce, announcing, look, log, stopping });
  const sweeping = repeat('sweep presence', SWEEP_EVERY_MS, sweep, log, stopping);
  onStop('sweep', () => sweeping);
  startConsumers(
    {
      bus,
      pool,
      log,
      service: 'presence-service',
      outboxRetentionHours: config.OUTBOX_RETENTION_HOURS,
      stopping,
      onStop,
    },
    { 'relationship.changed': createChangeRelationship(announcing) },
  );

  const about = { version: packageJson.version, description: packageJson.description };
  const answering = await answerRequests(bus, 'presence-service', about, {
    user: unavailableWithoutDatabase({
      'presence:get': createGetPresence({ pool, policy }),
    }),
    service: unavailableWithoutDatabase({
      'presence.get': createGetPresenceForService({ pool, policy }),
      'session.revoke': createRevokeSessions({ bus, pool, log }),
    }),
    gateway: unavailableWithoutDatabase({
      'session.report': createReportSessions({ pool: reporting.pool, policy, grace, announce }),
      'presence.state': createStatePresence({ pool: reporting.pool, policy }),
      'revocation.list': createListRevocations({ orm, pool }),
    }),
  });
  onStop('answers', () => answering.stop());
}
