import { defineEntity, p } from '@mikro-orm/core';
import type { FactData } from '@rapport/contracts';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { inTransaction, migrate, type DatabaseDefinition } from '../src/database/connection.ts';
import { insertFacts, type OutboxFact } from '../src/database/outbox-row.ts';
import { outboxRows, serviceTables } from '../src/database/service-tables.ts';
import { newDatabase, poolOf, recordedLog } from './kit.ts';
import type { Postgres } from '@rapport/local-stack';

/** The ORM wants at least one; no table of it is needed. */
const NoteEntity = defineEntity({ name: 'Note', tableName: 'note', properties: { id: p.integer().primary() } });

/** A service that has nothing but what every service has. */
export const bareService: DatabaseDefinition = { entities: [NoteEntity], migrations: [serviceTables, outboxRows] };

/** A database of its own with the tables of every service. */
export async function migratedDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: bareService }, recordedLog().log);
  return { url, pool: poolOf(url) };
}

/** A fact of a message that was committed at `createdAt`. */
export function factAt(createdAt: Date, exceptSocket?: string): OutboxFact<'message.sent'> {
  const data: FactData<'message.sent'> = {
    messageId: uuidv7(),
    conversationId: uuidv7(),
    senderId: 'alice',
    recipientId: 'bob',
    messageType: 'TEXT',
    seq: 1,
    version: 1,
    createdAt: createdAt.toISOString(),
  };
  return { id: uuidv7(), createdAt, fact: 'message.sent', data, exceptSocket };
}

/** Leaves facts, each in a row of its own, as a crash between commit and publishing leaves them, or `published`. */
export async function insertRows(pool: Pool, facts: readonly OutboxFact[], published = false): Promise<void> {
  for (const fact of facts) await insertRow(pool, [fact], published);
}

/** … and facts that were written together. */
export async function insertRow(pool: Pool, facts: readonly OutboxFact[], published = false): Promise<void> {
  await inTransaction(pool, async client => {
    await insertFacts(client, facts);
    if (published) await client.query('update outbox set published_at = now() where id = $1', [facts[0]?.row?.id]);
  });
}

/** The ids of the facts whose rows are not marked as published, oldest first. */
export async function unpublished(pool: Pool): Promise<string[]> {
  const result = await pool.query<{ id: string }>(
    `select f->>'id' as id from outbox, json_array_elements(facts) with ordinality as e (f, place)
      where published_at is null order by created_at, outbox.id, place`,
  );
  return result.rows.map(({ id }) => id);
}
