import type { MessageSendInput } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { migrate } from '../../libs/service/src/database/connection.ts';
import { makeOutboxPartitions } from '../../libs/service/src/database/outbox-partitions.ts';
import { newDatabase, newKey, poolOf, recordedLog } from '../../libs/service/test/kit.ts';
import { database } from '../src/database.ts';
import { createSeal, type Seal } from '@rapport/service/seal';
import { writeMessage, type WrittenMessage } from '../src/write-message.ts';

const seal = createSeal([newKey('test')]);
const hashKey = newKey('hash').key;

/** The messaging service's own database, empty and migrated. */
export async function messagingDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: database }, recordedLog().log);
  const pool = poolOf(url);
  await makeOutboxPartitions(pool, new Date());
  return { url, pool };
}

/** Sends as the service does, over the pool of one replica. */
export function write(
  pool: Pool,
  senderId: string,
  input: Partial<MessageSendInput> & { recipientId: string },
  options: { socketId?: string; seal?: Seal } = {},
): Promise<WrittenMessage> {
  const whole = { content: 'Hello!', messageType: 'TEXT' as const, ...input };
  return writeMessage(pool, { senderId, input: whole, socketId: options.socketId }, options.seal ?? seal, hashKey);
}

/** What is in the table, in order. */
export async function storedSeqs(pool: Pool, conversationId: string): Promise<number[]> {
  const { rows } = await pool.query<{ seq: number }>(
    'select seq from message where conversation_id = $1 order by seq',
    [conversationId],
  );
  return rows.map(({ seq }) => seq);
}

export async function countRows(pool: Pool, table: 'message' | 'conversation' | 'outbox'): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from ${table}`);
  return rows[0]?.count ?? 0;
}

/** 1, 2, 3 … `count` */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
