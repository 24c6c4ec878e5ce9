import { beforeAll, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { newKey, atEnd, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { MessageEntity, toMessage } from '../src/message.ts';
import { connectDatabase } from '../../libs/service/src/database/connection.ts';
import { database } from '../src/database.ts';
import { createSeal } from '@rapport/service/seal';
import { messagingDatabase, write } from './kit.ts';

const PLANTED = ['Ich-habe-seit-Wochen', 'nicht geschlafen', 'befund-mueller.pdf', 'files.example'];
const BODY = {
  content: `${PLANTED[0]} ${PLANTED[1]}`,
  messageType: 'FILE',
  attachment: { url: `https://${PLANTED[3]}/x`, name: 'befund-mueller.pdf', mimeType: 'application/pdf', size: 7 },
} as const;

let pool: Pool;
let url: string;
const keys = [newKey('test')];

beforeAll(async () => {
  ({ pool, url } = await messagingDatabase(await runningPostgres()));
  for (const number of [1, 2, 3]) {
    const input = { ...BODY, recipientId: 'bob', clientMessageId: `c-${number}` };
    await write(pool, 'alice', input, { socketId: 'socket-1', seal: createSeal(keys) });
  }
}, START_TIMEOUT_MS);

/** Every row of every table, as text and as the bytes that a text may hide in. */
async function dump(): Promise<Buffer[]> {
  const tables = await pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const found: Buffer[] = [];
  for (const { name } of tables.rows) {
    const { rows } = await pool.query<Record<string, unknown>>(`select * from ${name}`);
    for (const value of rows.flatMap(row => Object.values(row))) {
      found.push(Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value) ?? ''));
    }
  }
  return found;
}

test('the database holds the messages, and nothing of what was written in them', async () => {
  const values = await dump();
  expect(values.filter(value => value.includes('alice')).length).toBeGreaterThan(0);
  for (const secret of PLANTED) {
    const encodings = [Buffer.from(secret), Buffer.from(Buffer.from(secret).toString('base64').slice(0, -4))];
    for (const bytes of encodings) expect(values.filter(value => value.includes(bytes))).toEqual([]);
  }
});

test('a stored message opens again to what was sent, from the row alone', async () => {
  const { orm } = await connectDatabase({ url, poolSize: 1, definition: database });
  atEnd(() => orm.close(true));
  const row = await orm.em.fork().findOneOrFail(MessageEntity, { seq: 2 });
  expect(toMessage(row, createSeal(keys))).toMatchObject({ ...BODY, seq: 2, clientMessageId: 'c-2' });
});

test('a body that is moved to the row of another message does not open', async () => {
  const { orm } = await connectDatabase({ url, poolSize: 1, definition: database });
  atEnd(() => orm.close(true));
  await pool.query('update message set sealed = (select sealed from message where seq = 1) where seq = 3');
  const row = await orm.em.fork().findOneOrFail(MessageEntity, { seq: 3 });
  expect(() => toMessage(row, createSeal(keys))).toThrow('unable to authenticate data');
});
