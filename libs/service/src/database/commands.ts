import { parseArgs } from 'node:util';
import { closeBus, connectBus } from '@rapport/bus';
import type { ServiceName } from '@rapport/contracts';
import { runCommand } from '../command.ts';
import { connectDatabase, migrate, type DatabaseDefinition } from './connection.ts';
import { createLogger } from '../logger.ts';
import { createMetrics, observeBus } from '../metrics.ts';
import { replay } from './outbox-replay.ts';

/** `npm run migrate`: brings the service's schema up to date. */
export async function runMigrate(service: ServiceName, definition: DatabaseDefinition): Promise<void> {
  await runCommand(`${service} migrate`, service, async config => {
    const log = createLogger(service, config.LOG_LEVEL);
    await migrate({ url: config.DATABASE_URL, poolSize: 2, definition }, log);
  });
}

/** `npm run replay -- --since 2026-11-23T00:00:00Z`: publishes again what was committed since. */
export async function runReplay(service: ServiceName, definition: DatabaseDefinition): Promise<void> {
  await runCommand(`${service} replay`, service, async config => {
    const { values } = parseArgs({ options: { since: { type: 'string' } } });
    const since = new Date(values.since ?? '');
    if (Number.isNaN(since.getTime())) throw new Error('--since must be a time such as 2026-11-23T00:00:00Z');
    const log = createLogger(service, config.LOG_LEVEL);
    const database = await connectDatabase({ url: config.DATABASE_URL, poolSize: 2, definition });
    const bus = await connectBus({
      servers: config.NATS_URL,
      as: service,
      user: config.NATS_USER,
      password: config.NATS_PASSWORD,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      observer: observeBus(createMetrics(log), log, error => log.error({ err: error }, 'NATS is gone')),
    });
    try {
      const count = await replay(bus, database.pool, since);
      log.info({ facts: count, since }, 'replayed');
    } finally {
      await closeBus(bus);
      await database.orm.close(true);
    }
  });
}
