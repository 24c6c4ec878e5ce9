import type { MessageSendInput } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { connectDatabase, migrate, type Database } from '../../libs/service/src/database/connection.ts';
import { makeOutboxPartitions } from '../../libs/service/src/database/outbox-partitions.ts';
import { connectPipeline, type Pipeline } from '../../libs/service/src/database/pipeline.ts';
import { atEnd, newDatabase, newKey, poolOf, recordedLog, until } from '../../libs/service/test/kit.ts';
import { database } from '../src/database.ts';
import type { Draft } from '../src/decide-messages.ts';
import type { Outcome } from '@rapport/service/batch-queue';
import { createHashKey, createSeal, type Seal } from '@rapport/service/seal';
import { toDraft, writeMessages, type WrittenMessage } from '../src/write-messages.ts';

export const seal = createSeal([newKey('test')]);
const hashKey = createHashKey(newKey('hash').key);

/** The messaging service's own database, empty and migrated. */
export async function messagingDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: database }, recordedLog().log);
  const pool = poolOf(url);
  await makeOutboxPartitions(pool, new Date());
  return { url, pool };
}

/** The ORM of one replica. */
export async function ormOf(url: string): Promise<Database['orm']> {
  const { orm } = await connectDatabase({ url, poolSize: 8, definition: database });
  atEnd(() => orm.close(true));
  return orm;
}

const pipelines = new WeakMap<Pool, Pipeline>();

/** Connections of the hot path to the same database: those of one replica. */
export function pipelineOf(pool: Pool): Pipeline {
  const known = pipelines.get(pool);
  if (known) return known;
  const { connectionString = '', max } = pool.options;
  const pipeline = connectPipeline({ url: connectionString, size: max, log: recordedLog().log });
  pipelines.set(pool, pipeline);
  atEnd(() => pipeline.close());
  return pipeline;
}

export type Sending = Partial<MessageSendInput> & { recipientId: string };

/** What somebody wants to send. */
export function draftOf(senderId: string, input: Sending, socketId?: string): Draft {
  const whole = { content: 'Hello!', messageType: 'TEXT' as const, ...input };
  return toDraft(hashKey, { senderId, input: whole, socketId });
}

/** Sends as the service does, over the connections of one replica. */
export async function write(
  pool: Pool,
  senderId: string,
  input: Sending,
  options: { socketId?: string; seal?: Seal } = {},
): Promise<WrittenMessage> {
  const [outcome] = await writeAll(pool, [draftOf(senderId, input, options.socketId)], options);
  if (!outcome || 'error' in outcome) throw outcome?.error;
  return outcome.result;
}

/** … several with one batch. */
export function writeAll(
  pool: Pool,
  drafts: readonly Draft[],
  options: { seal?: Seal; open?: boolean } = {},
): Promise<Outcome<WrittenMessage>[]> {
  return writeMessages({ pipeline: pipelineOf(pool), seal, open: true, ...options }, drafts);
}

/** What is in the table, in order. */
export async function storedSeqs(pool: Pool, conversationId: string): Promise<number[]> {
  const { rows } = await pool.query<{ seq: number }>(
    'select seq from message where conversation_id = $1 order by seq',
    [conversationId],
  );
  return rows.map(({ seq }) => seq);
}

export async function countRows(pool: Pool, table: 'message' | 'conversation'): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from ${table}`);
  return rows[0]?.count ?? 0;
}

/** … of which a row of the outbox may have many. */
export async function countFacts(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select coalesce(sum(json_array_length(facts)), 0)::int as count from outbox',
  );
  return rows[0]?.count ?? 0;
}

/** 1, 2, 3 … `count` */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Resolves when a statement waits for what another transaction has locked. */
export function someoneWaits(pool: Pool): Promise<void> {
  return until(async () => (await pool.query('select from pg_locks where not granted')).rowCount !== 0);
}
