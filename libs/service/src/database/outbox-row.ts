import { defineEntity, p, type EntityManager } from '@mikro-orm/core';
import type { FactData, FactName } from '@rapport/contracts';
import type { Querying } from './statements.ts';
import { newId } from '../new-id.ts';

/** A fact and what it takes to deliver it again: ids, numbers and states only. Written with the change itself. */
export interface OutboxFact<N extends FactName = FactName> {
  readonly id: string;
  readonly createdAt: Date;
  readonly fact: N;
  readonly data: FactData<N>;
  /** The socket that already has the news in its ack. */
  readonly exceptSocket: string | undefined;
  /** What it was written in; none before that. */
  row?: OutboxRow;
}

/** Facts of one transaction: a row for each, and a mark for each, would cost as much as what they are about. */
export interface OutboxRow {
  readonly id: string;
  readonly createdAt: Date;
  /** How many of its facts are not published yet. */
  left: number;
}

/** A fact as it is in a row. */
export interface StoredFact<N extends FactName = FactName> {
  readonly id: string;
  readonly time: string;
  readonly fact: N;
  readonly data: FactData<N>;
  readonly exceptSocket?: string | undefined;
}

/** For a transaction of the ORM. */
export const OutboxEntity = defineEntity({
  name: 'Outbox',
  tableName: 'outbox',
  properties: {
    createdAt: p.datetime(3).primary(),
    id: p.uuid().primary(),
    facts: p.json<readonly StoredFact[]>(),
  },
});

/** A fact about a change that was made at `at`. */
export function newFact<N extends FactName>(
  fact: N,
  data: FactData<N>,
  at: Date,
  exceptSocket?: string,
): OutboxFact<N> {
  return { id: newId(), createdAt: at, fact, data, exceptSocket };
}

/** Has the unit of work write the fact together with the change. After the commit, `Outbox.publish` sends it. */
export function persistFact(em: EntityManager, fact: OutboxFact): void {
  const { id, createdAt } = putInRow([fact], fact);
  em.create(OutboxEntity, { id, createdAt, facts: [toStored(fact)] });
}

/** The same for a transaction of our own: one row for all of them. */
export async function insertFacts(client: Querying, facts: readonly OutboxFact[]): Promise<void> {
  const [first] = facts;
  if (!first) return;
  const { id, createdAt } = putInRow(facts, first);
  await client.query({
    name: 'outbox-insert',
    text: 'insert into outbox (id, created_at, facts) values ($1, $2, $3)',
    values: [id, createdAt, storedText(facts)],
  });
}

function putInRow(facts: readonly OutboxFact[], { id, createdAt }: OutboxFact): OutboxRow {
  const row = { id, createdAt, left: facts.length };
  for (const fact of facts) fact.row = row;
  return row;
}

/** The JSON text of facts as they are in a row. */
export function storedText(facts: readonly OutboxFact[]): string {
  return JSON.stringify(facts.map(toStored));
}

function toStored({ id, createdAt, fact, data, exceptSocket }: OutboxFact): StoredFact {
  return { id, time: createdAt.toISOString(), fact, data, exceptSocket };
}

/** The facts of a row that was read. */
export function fromStored<N extends FactName>(facts: readonly StoredFact<N>[]): OutboxFact<N>[] {
  return facts.map(({ time, exceptSocket, ...rest }) => ({ ...rest, createdAt: new Date(time), exceptSocket }));
}
