import { beforeAll, expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { countFacts, messagingDatabase, storedSeqs, upTo, write } from './kit.ts';

let pool: Pool;
let url: string;

beforeAll(async () => {
  ({ pool, url } = await messagingDatabase(await runningPostgres()));
}, START_TIMEOUT_MS);

test('200 sends at once, both ways, over four replicas, are numbered without a hole or a repeat', async () => {
  const replicas = Array.from({ length: 4 }, () => poolOf(url, 5));
  const sends = upTo(200).map(number => {
    const [from, recipientId] = number % 2 === 0 ? (['alice', 'bob'] as const) : (['bob', 'alice'] as const);
    return write(replicas[number % replicas.length]!, from, { recipientId, content: `${number}` });
  });
  const written = (await Promise.all(sends)).map(({ message }) => message);
  expect(written.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(upTo(200));
  const [conversation, ...others] = new Set(written.map(({ conversationId }) => conversationId));
  expect(others).toEqual([]);
  expect(await storedSeqs(pool, conversation!)).toEqual(upTo(200));
  const { rows } = await pool.query(
    `select last_seq, c.version, unread_a, unread_b, last_message_at = m.created_at as dated
       from conversation c join message m on m.conversation_id = c.id and m.seq = c.last_seq where c.id = $1`,
    [conversation],
  );
  expect(rows).toEqual([{ last_seq: 200, version: 200, unread_a: 100, unread_b: 100, dated: true }]);
});

test('messages that fail leave no hole among those that succeed', async () => {
  const sends = upTo(60).map(number =>
    number % 3 === 0
      ? write(pool, 'carol', { recipientId: 'dave', replyToId: 'not-there' }).then(({ message }) => message.seq)
      : write(pool, 'carol', { recipientId: 'dave' }).then(({ message }) => message.seq),
  );
  const outcomes = await Promise.allSettled(sends);
  const seqs = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(seqs.toSorted((a, b) => a - b)).toEqual(upTo(40));
});

test('every pair has a conversation of its own, whoever writes first, ids compared by code point', async () => {
  const conversationOf = async (from: string, recipientId: string) =>
    (await write(pool, from, { recipientId })).message.conversationId;
  const pairs = [
    ['Zoe', 'adam'],
    ['_x', 'Bea'],
    ['a-1', 'a_1'],
    ['10', '9'],
  ] as const;
  for (const [one, other] of pairs) expect(await conversationOf(one, other)).toBe(await conversationOf(other, one));
  const different = await Promise.all([conversationOf('eve', 'frank'), conversationOf('eve', 'Frank')]);
  expect(new Set(different).size).toBe(2);
});

test('a message says where it is: seq, version and the version before it', async () => {
  await write(pool, 'gina', { recipientId: 'hugo' });
  const { message } = await write(pool, 'hugo', { recipientId: 'gina' }, { socketId: 'socket-1' });
  expect(message).toMatchObject({ senderId: 'hugo', recipientId: 'gina', seq: 2, version: 2, previousVersion: 1 });
});

test('each message has one fact of the same transaction, with ids and numbers only', async () => {
  const before = await countFacts(pool);
  const { message, news } = await write(pool, 'ivan', { recipientId: 'judy' }, { socketId: 'socket-1' });
  expect(await countFacts(pool)).toBe(before + 1);
  const { rows } = await pool.query('select facts from outbox where id = $1', [news?.row?.id]);
  const { id, content: _content, previousVersion: _previous, ...rest } = message;
  const data = { messageId: id, ...rest };
  const time = message.createdAt;
  expect(rows).toEqual([{ facts: [{ id: news?.id, time, fact: 'message.sent', data, exceptSocket: 'socket-1' }] }]);
});
