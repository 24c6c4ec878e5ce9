import { connectBus, deliver, type Bus } from '@rapport/bus';
import type { Stack } from '@rapport/local-stack';
import { silentObserver } from '../../e2e/silent-observer.ts';
import { startChild, type Child } from '../child/start-child.ts';
import type { HostileCommands } from '../load/hostile-process.ts';
import { pace } from '../load/pace.ts';
import type { PairsCommands } from '../load/pairs-process.ts';
import type { Target } from '../load/web-socket.ts';
import { startCrowd, type Crowd } from './crowd.ts';
import { linkPairs } from '../run/link-pairs.ts';
import { startProduct } from './product.ts';
import { sampleMessage } from './sample-message.ts';
import type { Ground } from './servers.ts';

/** The whole product with its default limits, the well-behaved pairs, and everybody else waiting outside. */
export interface Battlefield {
  readonly target: Target;
  readonly secret: string;
  /** Of the gateway. */
  readonly pid: number;
  /** Where the gateway writes what memory it holds. */
  readonly folder: string;
  /** Where the gateway's metrics are. */
  readonly metrics: string;
  readonly pairs: Child<PairsCommands>;
  readonly crowd: Crowd;
  readonly hostile: Child<HostileCommands>;
  /** Has messages delivered to the user until the returned function is called. */
  deliverTo(user: string, load: { perSecond: number; contentCharacters: number }): () => void;
  stop(): Promise<void>;
}

/** Longer than any phase: deliveries are ended, not counted. */
const MOST_DELIVERIES = 10_000_000;

export async function startBattlefield(ground: Ground, pairs: number): Promise<Battlefield> {
  const secret = ground.jwtSecret;
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const undo of stops.splice(0).toReversed()) await undo();
  };
  try {
    const stack = await startProduct(ground);
    // Twice is once: it is also stopped when the bench is interrupted.
    stops.push(() => stack.stop());
    ground.atEnd(() => stack.stop());
    await linkPairs(stack.databases['messaging-service'], pairs);
    const bus = await messagingBus(stack);
    stops.push(() => bus.connection.close());
    const crowd = await startCrowd(secret);
    stops.push(() => crowd.stop());
    const hostile = await startChild<HostileCommands>(new URL('../load/hostile-process.ts', import.meta.url));
    stops.push(() => hostile.stop());
    const people = await startChild<PairsCommands>(new URL('../load/pairs-process.ts', import.meta.url));
    stops.push(() => people.stop());
    const { hostname, port } = new URL(stack.gateways[0] ?? '');
    const target = { host: hostname, port: Number(port) };
    await people.call('connect', { target, secret, pairs });
    return {
      target,
      secret,
      pid: stack.programs.get('gateway')?.pid ?? 0,
      folder: ground.folder,
      metrics: stack.metrics['gateway'] ?? '',
      pairs: people,
      crowd,
      hostile,
      deliverTo: (user, load) => startDelivering(bus, user, load),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function messagingBus({ nats }: Stack): Promise<Bus> {
  const { host, username, password } = new URL(nats['messaging-service']);
  return connectBus({
    servers: `nats://${host}`,
    as: 'messaging-service',
    user: username,
    password,
    requestTimeoutMs: 5_000,
    observer: silentObserver,
  });
}

function startDelivering(
  bus: Bus,
  user: string,
  { perSecond, contentCharacters }: { perSecond: number; contentCharacters: number },
): () => void {
  const message = sampleMessage(user, 'x'.repeat(contentCharacters));
  const ending = new AbortController();
  void pace(perSecond, MOST_DELIVERIES, () => deliver(bus, { user }, 'message:received', message), ending.signal);
  return () => ending.abort();
}
