import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, deliver, withSpan, type Bus } from '@rapport/bus';
import { silentObserver } from '../../e2e/silent-observer.ts';
import { pace } from '../load/pace.ts';
import { alternate } from '../measure/alternate.ts';
import type { Comparison, Findings } from '../measure/comparison.ts';
import { cpuSeconds } from '../measure/process-usage.ts';
import { startCrowd, type Crowd } from './crowd.ts';
import { sampleMessage } from './sample-message.ts';
import { startBare, startGateway, type Ground, type Server } from './servers.ts';

export interface DeliveryOptions {
  readonly users: number;
  readonly deliveries: number;
  /** The same for all, below what any of them can do: how much arrives at a time has its share in the cost. */
  readonly perSecond: number;
  readonly runs: number;
}

const POLL_MS = 20;
const ARRIVAL_TIMEOUT_MS = 30_000;
/** Deliveries before the count begins, which compile the hot functions. */
const WARM_UP_SHARE = 0.4;

/** CPU of the server per message that it delivers to a socket. */
export async function measureDeliveryCpu(ground: Ground, options: DeliveryOptions): Promise<Findings> {
  const { users, deliveries, perSecond, runs } = options;
  const bus = await messagingBus(ground);
  const overNats = (count: number): Promise<void> => publish(bus, users, count, perSecond);

  const measure = async <S extends Server>(
    starting: Promise<S>,
    send: (server: S, count: number) => Promise<void>,
  ): Promise<number> => {
    const server = await starting;
    const crowd = await startCrowd(ground.jwtSecret, 1);
    try {
      await crowd.gather(server.target, users, 'user');
      const warmUp = Math.floor(deliveries * WARM_UP_SHARE);
      await send(server, warmUp);
      await untilDelivered(crowd, warmUp);
      const before = cpuSeconds(server.pid);
      await send(server, deliveries);
      await untilDelivered(crowd, warmUp + deliveries);
      return ((cpuSeconds(server.pid) - before) / deliveries) * 1e6;
    } finally {
      await Promise.all([crowd.stop(), server.stop()]);
    }
  };
  try {
    const results = await alternate(runs, {
      gateway: () => measure(startGateway(ground), (_server, count) => overNats(count)),
      emitting: () =>
        measure(startBare(ground, { checksTokens: true }), ({ emit }, count) => emit({ users, count, perSecond })),
      parsing: () =>
        measure(startBare(ground, { checksTokens: true, listensOnNats: true }), (_server, count) => overNats(count)),
    });
    const compare = (baseline: 'emitting' | 'parsing', baselineName: string): Comparison => ({
      what: 'CPU per delivery',
      unit: 'µs',
      product: results.gateway,
      baseline: results[baseline],
      baselineName,
    });
    return {
      comparisons: [
        compare('emitting', 'Socket.IO that emits to the room'),
        compare('parsing', 'Socket.IO that gets it over NATS, parses, emits'),
      ],
    };
  } finally {
    await bus.connection.close();
  }
}

function messagingBus({ nats }: Ground): Promise<Bus> {
  return connectBus({
    servers: nats.server,
    as: 'messaging-service',
    user: 'messaging-service',
    password: nats.passwords['messaging-service'],
    requestTimeoutMs: 5_000,
    observer: silentObserver,
  });
}

/** As the messaging service does, trace headers included. */
async function publish(bus: Bus, users: number, count: number, perSecond: number): Promise<void> {
  const messages = Array.from({ length: users }, (_, user) => sampleMessage(`user${user}`));
  await pace(perSecond, count, index => {
    const message = messages[index % users];
    if (message) withSpan('bench', () => deliver(bus, { user: message.recipientId }, 'message:received', message));
  });
}

async function untilDelivered(crowd: Crowd, count: number): Promise<void> {
  const deadline = performance.now() + ARRIVAL_TIMEOUT_MS;
  for (;;) {
    const { delivered } = await crowd.state();
    if (delivered >= count) return;
    if (performance.now() > deadline) throw new Error(`${delivered} of ${count} deliveries arrived`);
    await sleep(POLL_MS);
  }
}
