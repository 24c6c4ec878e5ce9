import { closeBus, connectBus, provision } from '@rapport/bus';
import { runCommand } from './command.ts';
import { createLogger } from './logger.ts';
import { createMetrics, observeBus } from './metrics.ts';

// Makes the stream of facts and its consumers: the only step with the right to do so.
await runCommand('provision', 'provisioner', async config => {
  const log = createLogger('provision', 'info');
  const bus = await connectBus({
    servers: config.NATS_URL,
    as: 'provisioner',
    user: config.NATS_USER,
    password: config.NATS_PASSWORD,
    requestTimeoutMs: 10_000,
    observer: observeBus(createMetrics(log), log, error => log.error({ err: error }, 'NATS is gone')),
  });
  try {
    await provision(bus, { replicas: config.NATS_REPLICAS });
    log.info('the stream of facts and its consumers are up to date');
  } finally {
    await closeBus(bus);
  }
});
