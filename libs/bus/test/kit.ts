import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { answerRequests, closeBus, connectBus, provision, type Bus, type Handlers } from '@rapport/bus';
import { durableName, inboxPrefix, type BusUser, type FactConsumer } from '@rapport/contracts';
import { startNats, type Nats } from '@rapport/local-stack';
import { startTracing } from '../../service/src/tracing.ts';
import { createRecorder, type Recorder } from './recorder.ts';

/** The table has no consumer yet: the tests bring one of their own. */
export const CONSUMER = {
  durable: durableName('messaging-service', 'message.sent'),
  fact: 'message.sent',
  service: 'messaging-service',
} as const satisfies FactConsumer;

/** No request of a test may end by its time-out unless the test is about that. */
export const LONG_MS = 120_000;

export interface Joined extends Bus {
  readonly observer: Recorder;
}

export interface House {
  /** The nats-server of this test file. */
  readonly nats: Nats;
  /** A bus as that user, closed after the test. */
  join(user: BusUser, options?: { requestTimeoutMs?: number }): Promise<Joined>;
  /** A bare connection with the rights and the inbox of that user, closed after the test. */
  connectRaw(user: BusUser): Promise<NatsConnection>;
  /** Runs after the test, the last one first. */
  afterwards(undo: () => unknown): void;
}

/** A real nats-server, provisioned, for the tests of one file. */
export function openHouse(consumers: readonly FactConsumer[] = [CONSUMER]): House {
  const dir = mkdtempSync(join(tmpdir(), 'nats-house-'));
  const undos: (() => unknown)[] = [];
  let started: Nats | undefined;
  const nats = (): Nats => {
    if (!started) throw new Error('nats-server is not running yet');
    return started;
  };
  const afterwards = (undo: () => unknown): void => void undos.push(undo);
  const undoAll = async (): Promise<void> => {
    for (let undo = undos.pop(); undo; undo = undos.pop()) await undo();
  };

  const joinAs: House['join'] = async (user, { requestTimeoutMs = LONG_MS } = {}) => {
    const observer = createRecorder();
    const bus = await connectBus({ ...credentials(nats(), user), as: user, requestTimeoutMs, observer });
    afterwards(() => closeBus(bus));
    return { ...bus, observer };
  };

  beforeAll(async () => {
    startTracing();
    started = await startNats({ dir, consumers, env });
    await provision(await joinAs('provisioner'), { replicas: 1, consumers });
    await undoAll();
  });
  afterEach(undoAll);
  afterAll(async () => {
    await started?.process.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  return {
    get nats() {
      return nats();
    },
    join: joinAs,
    afterwards,
    async connectRaw(user) {
      const { servers, user: name, password } = credentials(nats(), user);
      const connection = await connect({ servers, user: name, pass: password, inboxPrefix: inboxPrefix(user) });
      afterwards(() => connection.close());
      return connection;
    },
  };
}

type Messaging = Handlers<'messaging-service'>;

/** Answers the requests named, as the messaging service, until the test is over. */
export async function answerWith(
  house: House,
  bus: Bus,
  user: Partial<Messaging['user']>,
  service: Partial<Messaging['service']> = {},
): ReturnType<typeof answerRequests> {
  const about = { version: '1.2.3', description: 'Answers a test.' };
  const all = { user, service } as Messaging;
  const answering = await answerRequests(bus, 'messaging-service', about, all);
  house.afterwards(() => answering.stop());
  return answering;
}

export function credentials(nats: Nats, user: BusUser): { servers: string; user: string; password: string } {
  return { servers: nats.server, user, password: nats.passwords[user] };
}
