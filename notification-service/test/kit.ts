import { randomBytes } from 'node:crypto';
import { requestAsService, requestForUser, type Bus } from '@rapport/bus';
import {
  buildSubject,
  type Ack,
  type Actor,
  type FactData,
  type ServiceInput,
  type ServiceOutput,
  type ServiceRequestName,
  type Status,
  type UserInput,
  type UserOutput,
  type UserRequestName,
} from '@rapport/contracts';
import type { Nats, Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { loadConfig } from '../../libs/service/src/config.ts';
import { migrate } from '../../libs/service/src/database/connection.ts';
import { createHealth } from '../../libs/service/src/health.ts';
import { createLifecycle } from '../../libs/service/src/lifecycle.ts';
import { createMetrics } from '../../libs/service/src/metrics.ts';
import {
  atEnd,
  busAs,
  newDatabase,
  poolOf,
  recordedLog,
  runningNats,
  runningPostgres,
} from '../../libs/service/test/kit.ts';
import { database } from '../src/database.ts';
import { startNotificationService } from '../src/service.ts';

const random32 = (): string => randomBytes(32).toString('base64');

/** The notification service's own database, empty and migrated. */
export async function notificationDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: database }, recordedLog().log);
  return { url, pool: poolOf(url) };
}

/** What is said of a message that somebody sends to the recipient. */
export const sent = (
  recipientId: string,
  seq: number,
  conversationId = `c-${recipientId}`,
): FactData<'message.sent'> => ({
  messageId: uuidv7(),
  conversationId,
  senderId: 'sender',
  recipientId,
  messageType: 'TEXT',
  seq,
  version: seq,
  createdAt: new Date().toISOString(),
});

/** Everything that the service needs around it, and who asks it. */
export interface Surroundings {
  readonly nats: Nats;
  readonly postgres: Postgres;
  readonly url: string;
  readonly pool: Pool;
  readonly gateway: Bus;
  readonly backOffice: Bus;
  readonly developer: Bus;
  /** What every replica here is configured with. */
  readonly environment: Record<string, string>;
}

export async function surroundings(environment: Record<string, string> = {}): Promise<Surroundings> {
  const [nats, postgres] = await Promise.all([runningNats(), runningPostgres()]);
  const { url, pool } = await notificationDatabase(postgres);
  const [gateway, backOffice, developer] = await Promise.all([
    busAs(nats, 'gateway'),
    busAs(nats, 'back-office'),
    busAs(nats, 'developer'),
  ]);
  return {
    nats,
    postgres,
    url,
    pool,
    gateway,
    backOffice,
    developer,
    environment: {
      CONTENT_KEYS: `test:${random32()}`,
      BODY_HASH_KEY: random32(),
      DATABASE_URL: url,
      NATS_USER: 'notification-service',
      NATS_PASSWORD: nats.passwords['notification-service'],
      ...environment,
    },
  };
}

export interface Replica {
  stop(): Promise<void>;
  readonly lines: readonly string[];
}

/** One replica of the real service, inside this process. Stopped at the end of the file. */
export async function replica(around: Surroundings, environment: Record<string, string> = {}): Promise<Replica> {
  const { log, lines } = recordedLog();
  const config = loadConfig('notification-service', { ...around.environment, ...environment });
  const { stop, stopping, onStop } = createLifecycle(log);
  atEnd(stop);
  const bus = await busAs(around.nats, 'notification-service', log);
  const context = { config, log, metrics: createMetrics(log), health: createHealth(), bus, stopping, onStop };
  await startNotificationService(context);
  return { stop, lines };
}

/** Asks as a gateway does for a user. */
export async function asUser<N extends UserRequestName>(
  around: Surroundings,
  userId: string,
  event: N,
  input: UserInput<N>,
): Promise<Ack<UserOutput<N>>> {
  const actor: Actor = { userId, role: 'client' };
  return (await requestForUser(around.gateway, event, { actor, input })).read();
}

/** Asks as the back office does. */
export async function asService<N extends ServiceRequestName>(
  around: Surroundings,
  name: N,
  input: ServiceInput<N>,
  service = 'back-office',
): Promise<Ack<ServiceOutput<N>>> {
  return (await requestAsService(around.backOffice, name, { actor: { service }, input })).read();
}

/** What was asked for, which must have succeeded. */
export function dataOf<T>(ack: Ack<T>): T {
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}

/** A notification as another service makes it. */
export function aNotification(
  userId: string,
  more: Partial<ServiceInput<'notification.create'>> = {},
): ServiceInput<'notification.create'> {
  return { userId, type: 'NEWS', title: 'News', message: 'There is news.', priority: 'normal', ...more };
}

/** 1, 2, 3 … `count` */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Answers in the place of the presence service, which is another process: who is not in the map is offline. */
export async function presenceStandIn(around: Surroundings, statuses: ReadonlyMap<string, Status>): Promise<void> {
  const bus = await busAs(around.nats, 'presence-service');
  const subject = buildSubject({ family: 'request', caller: 'service', name: 'presence.get' });
  bus.connection.subscribe(subject, {
    queue: 'presence-service',
    callback: (_error, message) => {
      const { input } = JSON.parse(message.string()) as { input: { userIds: string[] } };
      const presences = input.userIds.map(userId => ({
        userId,
        status: statuses.get(userId) ?? 'offline',
        lastSeenAt: null,
      }));
      message.respond(JSON.stringify({ ok: true, data: { presences } }));
    },
  });
  await bus.connection.flush();
}
