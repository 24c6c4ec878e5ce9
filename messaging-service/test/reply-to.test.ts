import { beforeAll, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { countRows, messagingDatabase, write } from './kit.ts';

let pool: Pool;

beforeAll(async () => {
  ({ pool } = await messagingDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

test('a reply to a message of the same conversation says so, whoever wrote that', async () => {
  const { message } = await write(pool, 'alice', { recipientId: 'bob' });
  const reply = await write(pool, 'bob', { recipientId: 'alice', replyToId: message.id });
  const own = await write(pool, 'alice', { recipientId: 'bob', replyToId: message.id });
  expect([reply.message.replyToId, own.message.replyToId]).toEqual([message.id, message.id]);
});

test.each([
  [
    'of another conversation of the sender',
    async () => (await write(pool, 'alice', { recipientId: 'carol' })).message.id,
  ],
  ['of other people', async () => (await write(pool, 'dave', { recipientId: 'erin' })).message.id],
  ['that is not there', () => Promise.resolve('0190a000-0000-7000-8000-000000000000')],
  ['whose id is none of ours', () => Promise.resolve('message-uuid')],
])('a reply to a message %s is refused in the same words, and nothing is written', async (_what, target) => {
  const replyToId = await target();
  const before = await countRows(pool, 'message');
  await expect(write(pool, 'alice', { recipientId: 'bob', replyToId })).rejects.toMatchObject({
    code: 'INVALID_PAYLOAD',
    details: [{ path: 'replyToId', message: 'must be a message of this conversation' }],
  });
  expect(await countRows(pool, 'message')).toBe(before);
});
