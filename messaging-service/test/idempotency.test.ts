import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { MessageSendInput } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { countFacts, countRows, messagingDatabase, storedSeqs, upTo, write } from './kit.ts';

let postgres: Postgres;
let pool: Pool;
let url: string;

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await messagingDatabase(postgres));
});

const attachment = { url: 'https://files.example/1', name: 'scan.png', mimeType: 'image/png', size: 7 };

test('the same clientMessageId with the same body returns the first message and tells nobody again', async () => {
  const input = { recipientId: 'bob', clientMessageId: 'c-1', messageType: 'IMAGE', attachment } as const;
  const first = await write(pool, 'alice', input);
  await write(pool, 'alice', { recipientId: 'bob' });
  const second = await write(pool, 'alice', input);
  expect(second).toEqual({ message: first.message, news: undefined });
  expect(await storedSeqs(pool, first.message.conversationId)).toEqual([1, 2]);
  expect(await countFacts(pool)).toBe(2);
});

test.each<[string, Partial<MessageSendInput>]>([
  ['content', { content: 'Hello' }],
  ['recipient', { recipientId: 'carol' }],
  ['type', { messageType: 'IMAGE' }],
  ['attachment', { attachment: { ...attachment, size: 8 } }],
  ['reply', { replyToId: '0190a000-0000-7000-8000-000000000000' }],
])('the same clientMessageId with another %s is a CONFLICT that says where', async (_what, other) => {
  const input = { recipientId: 'bob', clientMessageId: 'c-1', messageType: 'FILE', attachment } as const;
  await write(pool, 'alice', input);
  await expect(write(pool, 'alice', { ...input, ...other })).rejects.toMatchObject({
    name: 'AppError',
    code: 'CONFLICT',
    details: [{ path: 'clientMessageId' }],
  });
  expect(await countRows(pool, 'message')).toBe(1);
});

test('a clientMessageId belongs to its sender: another may use the same', async () => {
  const one = await write(pool, 'alice', { recipientId: 'bob', clientMessageId: 'c-1' });
  const other = await write(pool, 'bob', { recipientId: 'alice', clientMessageId: 'c-1' });
  expect([one.message.seq, other.message.seq]).toEqual([1, 2]);
});

test('repeats at the same moment over several replicas make one message, and all get it', async () => {
  const replicas = Array.from({ length: 4 }, () => poolOf(url, 5));
  const written = await Promise.all(
    upTo(40).map(number =>
      write(replicas[number % 4]!, 'alice', { recipientId: 'bob', clientMessageId: `c-${number % 4}` }),
    ),
  );
  expect(new Set(written.map(({ message }) => message.id)).size).toBe(4);
  expect(written.filter(({ news }) => news)).toHaveLength(4);
  expect(await storedSeqs(pool, written[0]!.message.conversationId)).toEqual([1, 2, 3, 4]);
});

test('one id that races in several conversations is one message, and a CONFLICT everywhere else', async () => {
  const replicas = Array.from({ length: 2 }, () => poolOf(url, 10));
  const recipients = upTo(20).map(number => `user-${number}`);
  // The conversations are there already, so that nothing but the race on the id is left.
  await Promise.all(recipients.map(recipientId => write(pool, 'alice', { recipientId })));
  const outcomes = await Promise.allSettled(
    recipients.map((recipientId, index) =>
      write(replicas[index % 2]!, 'alice', { recipientId, clientMessageId: 'c-1' }),
    ),
  );
  const [winner, ...others] = outcomes.filter(({ status }) => status === 'fulfilled');
  expect(winner).toMatchObject({ value: { message: { seq: 2, clientMessageId: 'c-1' } } });
  expect(others).toEqual([]);
  const reasons = outcomes.flatMap(each => (each.status === 'rejected' ? [each.reason as { code: string }] : []));
  expect(reasons.map(({ code }) => code)).toEqual(Array(19).fill('CONFLICT'));
  expect(await countRows(pool, 'message')).toBe(21);
  // The losers left no hole.
  const next = await Promise.all(recipients.map(recipientId => write(pool, 'alice', { recipientId })));
  expect(next.map(({ message }) => message.seq).toSorted((a, b) => a - b)).toEqual([...Array(19).fill(2), 3]);
});
