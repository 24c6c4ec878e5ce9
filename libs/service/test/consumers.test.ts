import { beforeAll, expect, test } from '@jest/globals';
import { provision, publish, type Bus } from '@rapport/bus';
import { durableName, type FactConsumer, type FactData } from '@rapport/contracts';
import { startNats } from '@rapport/local-stack';
import { env } from 'node:process';
import type { Pool, PoolClient } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { migrate } from '../src/database/connection.ts';
import { startConsumers } from '../src/database/consumers.ts';
import { contactsOf, isLinked, keepRelationship, relationshipProjection } from '../src/database/relationships.ts';
import { createLifecycle } from '../src/lifecycle.ts';
import { bareService } from './database-kit.ts';
import {
  atEnd,
  busAs,
  newDatabase,
  poolOf,
  recordedLog,
  runningPostgres,
  START_TIMEOUT_MS,
  temporaryFolder,
  until,
} from './kit.ts';

/** The messaging service consumes its own facts here: no other service need exist for that. */
const CONSUMER: FactConsumer = {
  durable: durableName('messaging-service', 'relationship.changed'),
  fact: 'relationship.changed',
  service: 'messaging-service',
};

let bus: Bus;
let pool: Pool;

beforeAll(async () => {
  const nats = await startNats({ dir: temporaryFolder(), env, consumers: [CONSUMER] });
  atEnd(() => nats.process.stop());
  await provision(await busAs(nats, 'provisioner'), { replicas: 1, consumers: [CONSUMER] });
  bus = await busAs(nats, 'messaging-service');
  const url = await newDatabase(await runningPostgres());
  const definition = { ...bareService, migrations: [...bareService.migrations, relationshipProjection] };
  await migrate({ url, poolSize: 2, definition }, recordedLog().log);
  pool = poolOf(url);
  startReplica();
  startReplica();
}, START_TIMEOUT_MS);

function startReplica(): void {
  const { log } = recordedLog();
  const { stop, stopping, onStop } = createLifecycle(log);
  atEnd(stop);
  const keep = async (fact: Parameters<typeof keepRelationship>[0], client: PoolClient): Promise<void> => {
    await keepRelationship(fact, client);
  };
  // The table does not ask for it, because the service knows the truth.
  const handlers: object = { 'relationship.changed': keep };
  const options = { service: 'messaging-service', bus, pool, log, outboxRetentionHours: 72, stopping, onStop } as const;
  startConsumers({ ...options, consumers: [CONSUMER] }, handlers);
}

async function tell(client: string, therapist: string, linked: boolean, version: number): Promise<void> {
  const changedAt = new Date(Date.UTC(2026, 10, 25, 9, version)).toISOString();
  const ids = { relationshipId: uuidv7(), clientUserId: client, therapistUserId: therapist };
  const data: FactData<'relationship.changed'> = { ...ids, linked, version, changedAt };
  await publish(bus, 'relationship.changed', { id: uuidv7(), time: new Date(changedAt), data });
}

test('a relationship is known in both directions as soon as its fact is consumed, and no longer when it ended', async () => {
  await tell('alice', 'dr-bob', true, 1);
  await until(() => isLinked(pool, 'alice', 'dr-bob'));
  expect(await isLinked(pool, 'dr-bob', 'alice')).toBe(true);
  expect(await isLinked(pool, 'alice', 'dr-carol')).toBe(false);
  await tell('alice', 'dr-bob', false, 2);
  await until(async () => !(await isLinked(pool, 'alice', 'dr-bob')));
  expect(await contactsOf(pool, 'alice')).toEqual([]);
});

test('facts in the wrong order leave what the highest version says', async () => {
  await tell('dave', 'dr-bob', true, 3);
  await tell('dave', 'dr-bob', false, 2);
  await tell('dave', 'dr-bob', true, 1);
  await tell('barrier', 'dr-bob', true, 1);
  await until(async () => (await pool.query('select from consumed_event')).rowCount === 6);
  expect(await isLinked(pool, 'dave', 'dr-bob')).toBe(true);
});

test('contacts come with what they are in the relationship, the oldest first', async () => {
  await tell('erin', 'dr-frank', true, 2);
  await tell('dr-frank', 'dr-bob', true, 1);
  await until(async () => (await contactsOf(pool, 'dr-frank')).length === 2);
  expect(await contactsOf(pool, 'dr-frank')).toEqual([
    { userId: 'dr-bob', role: 'therapist', since: new Date('2026-11-25T09:01:00Z') },
    { userId: 'erin', role: 'client', since: new Date('2026-11-25T09:02:00Z') },
  ]);
});
