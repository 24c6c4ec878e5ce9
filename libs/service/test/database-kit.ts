import { defineEntity, p } from '@mikro-orm/core';
import type { FactData } from '@rapport/contracts';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { migrate, type DatabaseDefinition } from '../src/database/connection.ts';
import type { OutboxRow } from '../src/database/outbox-row.ts';
import { serviceTables } from '../src/database/service-tables.ts';
import { newDatabase, poolOf, recordedLog } from './kit.ts';
import type { Postgres } from '@rapport/local-stack';

/** The ORM wants at least one; no table of it is needed. */
const NoteEntity = defineEntity({ name: 'Note', tableName: 'note', properties: { id: p.integer().primary() } });

/** A service that has nothing but what every service has. */
export const bareService: DatabaseDefinition = { entities: [NoteEntity], migrations: [serviceTables] };

/** A database of its own with the tables of every service. */
export async function migratedDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: bareService }, recordedLog().log);
  return { url, pool: poolOf(url) };
}

/** A fact of a message that was committed at `createdAt`. */
export function factAt(createdAt: Date, exceptSocket?: string): OutboxRow<'message.sent'> {
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

/** Leaves rows as a crash between commit and publishing leaves them, or `published`. */
export async function insertRows(pool: Pool, rows: readonly OutboxRow[], published = false): Promise<void> {
  for (const row of rows) {
    await pool.query(
      `insert into outbox (id, created_at, fact, data, except_socket, published_at)
       values ($1, $2, $3, $4, $5, case when $6 then now() end)`,
      [row.id, row.createdAt, row.fact, row.data, row.exceptSocket, published],
    );
  }
}

/** The ids of the rows that are not marked as published, oldest first. */
export async function unpublished(pool: Pool): Promise<string[]> {
  const result = await pool.query<{ id: string }>(
    'select id from outbox where published_at is null order by created_at, id',
  );
  return result.rows.map(({ id }) => id);
}
