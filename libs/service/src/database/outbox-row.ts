import { defineEntity, p, type EntityManager } from '@mikro-orm/core';
import type { FactData, FactName } from '@rapport/contracts';
import type { PoolClient } from 'pg';
import { newId } from '../new-id.ts';

/** A fact and what it takes to deliver it again: ids, numbers and states only. Written with the change itself. */
export interface OutboxRow<N extends FactName = FactName> {
  readonly id: string;
  readonly createdAt: Date;
  readonly fact: N;
  readonly data: FactData<N>;
  /** The socket that already has the news in its ack. */
  readonly exceptSocket: string | undefined;
}

/** For a transaction of the ORM. */
export const OutboxEntity = defineEntity({
  name: 'Outbox',
  tableName: 'outbox',
  properties: {
    createdAt: p.datetime(3).primary(),
    id: p.uuid().primary(),
    fact: p.text(),
    data: p.json(),
    exceptSocket: p.text().nullable(),
  },
});

/** A fact about a change that was made at `at`. */
export function newFact<N extends FactName>(fact: N, data: FactData<N>, at: Date, exceptSocket?: string): OutboxRow<N> {
  return { id: newId(), createdAt: at, fact, data, exceptSocket };
}

/** Has the unit of work write the fact together with the change. After the commit, `Outbox.publish` sends it. */
export function persistFact(em: EntityManager, row: OutboxRow): void {
  em.create(OutboxEntity, { ...row, exceptSocket: row.exceptSocket ?? null });
}

/** The same for a transaction of our own: one statement for all of them. */
export async function insertFacts(client: PoolClient, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  await client.query({
    name: 'outbox-insert',
    text: `insert into outbox (id, created_at, fact, data, except_socket)
           select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::jsonb[], $5::text[])`,
    values: [
      rows.map(({ id }) => id),
      rows.map(({ createdAt }) => createdAt),
      rows.map(({ fact }) => fact),
      rows.map(({ data }) => JSON.stringify(data)),
      rows.map(({ exceptSocket }) => exceptSocket),
    ],
  });
}
