import { beforeAll, expect, test } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { inTransaction } from '../../libs/service/src/database/connection.ts';
import {
  findContacts,
  findSent,
  findTargets,
  insertMessages,
  lockConversations,
  makeConversations,
} from '../src/message-statements.ts';
import { draftOf, messagingDatabase, pipelineOf, write } from './kit.ts';

// The plans of the hot path are made once for each connection, here with empty tables: the worst that can happen.

let pool: Pool;

beforeAll(async () => {
  ({ pool } = await messagingDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

interface Prepared {
  readonly name: string;
  readonly parameter_types: string;
}

async function explainAll(client: PoolClient): Promise<Record<string, string>> {
  const { rows } = await client.query<Prepared>(
    'select name, parameter_types::text from pg_prepared_statements where from_sql is false',
  );
  const plans: Record<string, string> = {};
  for (const { name, parameter_types: types } of rows) {
    const nulls = types.split(',').map(() => 'null');
    const plan = await client.query<{ 'QUERY PLAN': string }>(`explain execute "${name}" (${nulls.join(', ')})`);
    plans[name] = plan.rows.map(row => row['QUERY PLAN']).join('\n');
  }
  return plans;
}

test('no statement of a send reads a table from end to end', async () => {
  const pipeline = pipelineOf(pool);
  const first = await write(pool, 'alice', { recipientId: 'bob' });
  const drafts = [draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-1', replyToId: first.message.id })];
  const plans = await inTransaction(pipeline.pool, async client => {
    await lockConversations(client, [['alice', 'bob']]);
    await findContacts(client, [['alice', 'bob']]);
    await findSent(client, drafts);
    await findTargets(client, drafts);
    await insertMessages(client, [], new Date());
    return explainAll(client);
  });
  await makeConversations(pipeline.pool, [['carol', 'dave']]);

  expect(Object.keys(plans)).toEqual(
    expect.arrayContaining([
      'contacts-find',
      'conversations-lock',
      'messages-insert',
      'messages-replied-to',
      'messages-sent',
    ]),
  );
  for (const plan of Object.values(plans)) {
    expect(plan).not.toContain('Seq Scan');
    // A scan without a condition would read the whole index, and a hash the whole table into memory.
    expect(plan).not.toContain('Hash');
    for (const scan of plan.split('\n').filter(line => line.includes('Index'))) {
      expect(plan.slice(plan.indexOf(scan))).toMatch(/Index (Cond|Only Scan)|Conflict Arbiter Indexes/);
    }
  }
});
