import { defineEntity, p, type EntityManager } from '@mikro-orm/core';
import type { FactData, FactName } from '@rapport/contracts';
import { isoTime, publish, type Bus } from '@rapport/bus';
import type { PoolClient } from 'pg';
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
  return { id, time: isoTime(createdAt), fact, data, exceptSocket };
}

/** The facts of a row that was read. */
export function fromStored<N extends FactName>(facts: readonly StoredFact<N>[]): OutboxFact<N>[] {
  return facts.map(({ time, exceptSocket, ...rest }) => ({ ...rest, createdAt: new Date(time), exceptSocket }));
}

/** Where a row is, and where a walk over them has got to: the primary key, oldest first. */
export type Position = Pick<OutboxRow, 'createdAt' | 'id'>;
/** Before the first. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** A row as it is read. */
export interface ReadRow<N extends FactName> extends Position {
  readonly facts: readonly StoredFact<N>[];
}

/** Resolves when the stream has stored it. */
export function publishFact(bus: Bus, { id, createdAt, fact, data }: OutboxFact): Promise<void> {
  return publish(bus, fact, { id, time: createdAt, data });
}

export async function markPublished(client: PoolClient, rows: readonly Position[]): Promise<void> {
  const sorted = rows.toSorted((one, other) => one.createdAt.getTime() - other.createdAt.getTime());
  const times = sorted.map(row => row.createdAt);
  await client.query({
    name: 'outbox-mark',
    text: `update outbox o set published_at = now()
             from unnest($1::timestamptz[], $2::uuid[]) as k (created_at, id)
            where o.created_at = k.created_at and o.id = k.id and o.created_at between $3 and $4`,
    // The range says which partitions, and which part of the index, they are in.
    values: [times, sorted.map(row => row.id), times[0], times.at(-1)],
  });
}
