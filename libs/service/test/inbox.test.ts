import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Inbox } from '@rapport/bus';
import type { Postgres } from '@rapport/local-stack';
import type { Pool, PoolClient } from 'pg';
import { forgetConsumedEvents, startInbox } from '../src/database/inbox.ts';
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

test('events that cannot come again are forgotten, however many, and no others', async () => {
  const stopping = new AbortController().signal;
  for (const [hours, count] of [
    [337, 25],
    [335, 5],
  ]) {
    await pool.query(
      `insert into consumed_event (consumer, event_id, consumed_at)
       select 'consumer', $1::int || '-' || n, now() - $1::int * interval '1 hour' from generate_series(1, $2::int) as n`,
      [hours, count],
    );
  }
  await forgetConsumedEvents(pool, 336, stopping, 10);
  const { rows } = await pool.query(`select count(*)::int as count, min(split_part(event_id, '-', 1)) as hours
                                       from consumed_event`);
  expect(rows).toEqual([{ count: 5, hours: '335' }]);
});
