import type { OutboxRow } from '@rapport/service/database';
import type { PoolClient } from 'pg';

/** Writes facts in the transaction of their change. After the commit, `Outbox.publish` sends them. */
export async function insertFacts(client: PoolClient, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  await client.query({
    name: 'facts-insert',
    text: `insert into outbox (id, created_at, fact, data)
           select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::jsonb[])`,
    values: [
      rows.map(({ id }) => id),
      rows.map(({ createdAt }) => createdAt),
      rows.map(({ fact }) => fact),
      rows.map(({ data }) => JSON.stringify(data)),
    ],
  });
}
