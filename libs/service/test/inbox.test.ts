import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Inbox } from '@rapport/bus';
import type { Postgres } from '@rapport/local-stack';
import type { Pool, PoolClient } from 'pg';
import { startInbox } from '../src/database/inbox.ts';
import { createLifecycle } from '../src/lifecycle.ts';
import { migratedDatabase } from './database-kit.ts';
import { atEnd, recordedLog, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

let postgres: Postgres;
let pool: Pool;
let inbox: Inbox<PoolClient>;

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool } = await migratedDatabase(postgres));
  await pool.query('create table effect (event_id text not null)');
  inbox = replica();
});

function replica(): Inbox<PoolClient> {
  const { log } = recordedLog();
  const { stop, stopping, onStop } = createLifecycle(log);
  atEnd(stop);
  return startInbox({ pool, log, outboxRetentionHours: 72, stopping, onStop });
}

const record = (id: string) => async (transaction: PoolClient) => {
  await transaction.query('insert into effect values ($1)', [id]);
};

async function effects(): Promise<string[]> {
  const result = await pool.query<{ event_id: string }>('select event_id from effect order by 1');
  return result.rows.map(row => row.event_id);
}

test('an event takes effect once, however often it comes', async () => {
  await expect(inbox.once('consumer', 'event-1', record('event-1'))).resolves.toBe('handled');
  await expect(inbox.once('consumer', 'event-1', record('event-1'))).resolves.toBe('repeated');
  await expect(replica().once('consumer', 'event-1', record('event-1'))).resolves.toBe('repeated');
  expect(await effects()).toEqual(['event-1']);
});

test('replicas that get one event at the same moment give it one effect', async () => {
  const all = [inbox, replica(), replica(), replica()].map(each => each.once('consumer', 'event-1', record('event-1')));
  expect((await Promise.all(all)).toSorted()).toEqual(['handled', 'repeated', 'repeated', 'repeated']);
  expect(await effects()).toEqual(['event-1']);
});

test('every consumer handles an event for itself', async () => {
  await inbox.once('one', 'event-1', record('event-1'));
  await expect(inbox.once('other', 'event-1', record('event-1'))).resolves.toBe('handled');
});

test('when the work fails, neither its effect nor the event is remembered, and the next attempt works', async () => {
  const failing = inbox.once('consumer', 'event-1', async transaction => {
    await record('event-1')(transaction);
    throw new Error('half-way');
  });
  await expect(failing).rejects.toThrow('half-way');
  expect(await effects()).toEqual([]);
  await expect(inbox.once('consumer', 'event-1', record('event-1'))).resolves.toBe('handled');
  expect(await effects()).toEqual(['event-1']);
});
