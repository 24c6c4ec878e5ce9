import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import type { Nats, Postgres } from '@rapport/local-stack';
import { inTransaction } from '@rapport/service/database';
import { busAs, poolOf, runningNats, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { createChangeRelationship } from '../src/change-relationship.ts';
import { presenceDatabase } from './kit.ts';

let nats: Nats;
let postgres: Postgres;

beforeAll(async () => {
  [nats, postgres] = await Promise.all([runningNats(), runningPostgres()]);
}, START_TIMEOUT_MS);

const FACT = {
  id: randomUUID(),
  fact: 'relationship.changed',
  time: new Date(),
  data: {
    relationshipId: randomUUID(),
    clientUserId: 'ann',
    therapistUserId: 'doc',
    linked: true,
    version: 1,
    changedAt: new Date().toISOString(),
  },
} as const;

/** What each of the two is told when that happens between the look and the end of the telling. */
async function toldWhen(meanwhile: string): Promise<string[]> {
  const { pool, url } = await presenceDatabase(postgres);
  await pool.query(`insert into presence (user_id, status) values ('ann', 'online'), ('doc', 'online')`);
  const [bus, developer] = await Promise.all([busAs(nats, 'presence-service'), busAs(nats, 'developer')]);
  const told: string[] = [];
  developer.connection.subscribe('deliver.v1.user.*.user.*', {
    callback: (_, { subject }) => void told.push(subject.replace('deliver.v1.user.', '')),
  });
  await developer.connection.flush();
  // One connection: what is asked for first comes first.
  const single = poolOf(url, 1);
  let happening: Promise<unknown> | undefined;
  const count = (): void => void (happening ??= single.query(meanwhile));
  const { keep, tell } = createChangeRelationship({ bus, pool: single, policy: 'care-team', count });
  await inTransaction(single, client => keep(FACT, client));
  await tell(FACT);
  await happening;
  await developer.connection.flush();
  return told;
}

test('two who begin to see each other are told who is there', async () => {
  expect(await toldWhen('select')).toEqual(['ann.user.online', 'doc.user.online']);
});

test('of who leaves while it is told, the last that is told is that they are gone', async () => {
  expect(await toldWhen(`update presence set status = 'offline', version = version + 1 where user_id = 'ann'`)).toEqual(
    ['ann.user.online', 'doc.user.online', 'doc.user.offline'],
  );
});

test('where the relationship ends while it is told, the last that is told is that nobody is there', async () => {
  expect(await toldWhen('update care_relationship set linked = false, version = 2')).toEqual([
    'ann.user.online',
    'doc.user.online',
    'ann.user.offline',
    'doc.user.offline',
  ]);
});
