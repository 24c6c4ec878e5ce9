import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { serviceRequests, parseInput, type LegalHold, type Message } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import type { Database } from '../../libs/service/src/database/connection.ts';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { expireMessages } from '../src/expire-messages.ts';
import { createHoldConversation, createReleaseConversation } from '../src/hold-conversation.ts';
import { createReadHistory } from '../src/read-history.ts';
import { writeDeletion, writeEdit } from '../src/write-change.ts';
import { messagingDatabase, ormOf, pipelineOf, seal, someoneWaits, upTo, write } from './kit.ts';
import { writeMarkers } from '../src/write-markers.ts';

let postgres: Postgres;
let pool: Pool;
let url: string;
let orm: Database['orm'];

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await messagingDatabase(postgres));
  orm = await ormOf(url);
});

const NOW = new Date('2026-11-25T12:00:00Z');
const BEFORE = new Date('2026-11-01T00:00:00Z');

/** As if the first messages of a conversation had been sent long ago. */
async function age(conversationId: string, upToSeq: number): Promise<void> {
  await pool.query(`update message set created_at = '2026-10-01' where conversation_id = $1 and seq <= $2`, [
    conversationId,
    upToSeq,
  ]);
}

async function five(): Promise<Message[]> {
  const messages: Message[] = [];
  for (const number of upTo(5)) {
    const { message } = await write(pool, 'alice', {
      recipientId: 'bob',
      content: `text ${number}`,
      clientMessageId: `c-${number}`,
      ...(messages[0] && { replyToId: messages[0].id }),
    });
    messages.push(message);
  }
  return messages;
}

async function history(): Promise<Message[]> {
  const read = createReadHistory({ pool, seal });
  const input = { userId: 'bob', limit: 50 };
  const { messages } = await read({ actor: { userId: 'alice', role: 'client' }, input, socketId: undefined });
  return messages;
}

const state = async (conversationId: string) => {
  const { rows } = await pool.query<Record<string, number>>(
    'select version, last_seq, expired_seq, unread_a, unread_b from conversation where id = $1',
    [conversationId],
  );
  return rows[0];
};

test('what is past its retention loses its content, earlier texts too, and keeps its place', async () => {
  const messages = await five();
  const { conversationId, id } = messages[1]!;
  const change = { messageId: id, conversationId, socketId: undefined };
  await writeEdit({ orm, seal }, { ...change, content: 'other' });
  await writeDeletion({ orm, seal }, { ...change, messageId: messages[2]!.id });
  await age(conversationId, 3);

  expect(await expireMessages(pool, BEFORE, NOW)).toBe(3);

  const [first, second, third, ...rest] = await history();
  const bare = (message: Message, version: number, deletedAt: string | undefined) => ({
    id: message.id,
    senderId: 'alice',
    recipientId: 'bob',
    conversationId,
    seq: message.seq,
    clientMessageId: message.clientMessageId,
    messageType: 'TEXT',
    createdAt: '2026-10-01T00:00:00.000Z',
    version,
    previousVersion: version - 1,
    deletedAt,
  });
  expect([first, second, third]).toEqual([
    bare(messages[0]!, 8, NOW.toISOString()),
    bare(messages[1]!, 9, NOW.toISOString()),
    // It was deleted before that.
    bare(messages[2]!, 10, third?.deletedAt),
  ]);
  expect(third?.deletedAt).not.toBe(NOW.toISOString());
  expect(rest).toEqual(messages.slice(3));
  expect(await state(conversationId)).toEqual({ version: 10, last_seq: 5, expired_seq: 3, unread_a: 0, unread_b: 2 });
  const { rows } = await pool.query('select sealed, key_id, reply_to_id from message where seq <= 3');
  const bareRow = { sealed: null, key_id: null, reply_to_id: null };
  expect(rows).toEqual([bareRow, bareRow, bareRow]);
  expect((await pool.query('select from message_revision')).rowCount).toBe(0);
});

test('a repeated send is still known by its id and the hash of its body, and is answered with what is left', async () => {
  const messages = await five();
  await age(messages[0]!.conversationId, 5);
  await expireMessages(pool, BEFORE, NOW);
  const again = { recipientId: 'bob', content: 'text 1', clientMessageId: 'c-1' };
  const { message, news } = await write(pool, 'alice', again);
  expect(news).toBeUndefined();
  expect(message).toEqual((await history())[0]);
  await expect(write(pool, 'alice', { ...again, content: 'text 2' })).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('what expired may be neither edited nor deleted once more, and reading goes on', async () => {
  const messages = await five();
  const { conversationId, id: messageId } = messages[0]!;
  await age(conversationId, 5);
  await expireMessages(pool, BEFORE, NOW);
  const change = { messageId, conversationId, socketId: undefined };
  await expect(writeEdit({ orm, seal }, { ...change, content: 'other' })).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await writeDeletion({ orm, seal }, change)).toMatchObject({ news: undefined });
  const mark = { kind: 'read', userId: 'bob', messageId, socketId: undefined } as const;
  const { outcomes } = await writeMarkers(pipelineOf(pool), [mark], NOW);
  expect(outcomes).toMatchObject([{ readUpToSeq: 1, unreadCount: 0 }]);
});

test('replicas that do it at the same time, again and again, take each message once', async () => {
  const messages = await Promise.all(
    upTo(60).map(number => write(pool, `user-${number % 6}`, { recipientId: `peer-${number % 6}` })),
  );
  await pool.query(`update message set created_at = '2026-10-01'`);
  const replicas = [0, 1, 2].map(() => poolOf(url));
  const taken = await Promise.all(replicas.map(replica => expireMessages(replica, BEFORE, NOW)));
  expect(taken.reduce((sum, count) => sum + count)).toBe(60);
  expect(await expireMessages(pool, BEFORE, NOW)).toBe(0);
  const conversations = new Set(messages.map(({ message }) => message.conversationId));
  for (const id of conversations) {
    expect(await state(id)).toEqual({ version: 20, last_seq: 10, expired_seq: 10, unread_a: 0, unread_b: 0 });
  }
});

test('nothing younger goes, whatever the clocks of the replicas said', async () => {
  const messages = await five();
  // The second one was sent by a replica whose clock was late.
  await pool.query(`update message set created_at = '2026-10-01' where seq in (1, 3)`);
  expect(await expireMessages(pool, BEFORE, NOW)).toBe(1);
  expect((await history()).map(({ content }) => content)).toEqual([
    undefined,
    ...messages.slice(1).map(({ content }) => content),
  ]);
});

describe('a legal hold', () => {
  const actor = { service: 'crm', onBehalfOf: 'carol' };
  const hold = (input: object): Promise<LegalHold> =>
    createHoldConversation({ orm })({ actor, input: parseInput(serviceRequests['conversation.hold'].input, input) });
  const release = (input: object): Promise<LegalHold> =>
    createReleaseConversation({ orm })({
      actor: { service: 'legal' },
      input: parseInput(serviceRequests['conversation.release'].input, input),
    });

  test('wins over retention until it is released, and only in its conversation', async () => {
    const [{ conversationId }] = (await five()) as [Message];
    await write(pool, 'dave', { recipientId: 'erin' });
    await pool.query(`update message set created_at = '2026-10-01'`);
    await hold({ userIds: ['bob', 'alice'], reference: 'case-7' });
    expect(await expireMessages(pool, BEFORE, NOW)).toBe(1);
    expect((await history()).every(({ content }) => content !== undefined)).toBe(true);
    await release({ conversationId });
    expect(await expireMessages(pool, BEFORE, NOW)).toBe(5);
  });

  test('says who placed and who released it, on whose behalf, and when, and keeps that', async () => {
    const [{ conversationId }] = (await five()) as [Message];
    const placed = await hold({ conversationId, reference: 'case-7' });
    expect(placed).toEqual({
      id: expect.any(String),
      conversationId,
      inForce: true,
      reference: 'case-7',
      placedAt: expect.any(String),
      placedBy: 'crm',
      placedOnBehalfOf: 'carol',
    });
    expect(await hold({ userIds: ['alice', 'bob'] })).toEqual(placed);
    const released = await release({ userIds: ['alice', 'bob'] });
    expect(released).toEqual({ ...placed, inForce: false, releasedAt: expect.any(String), releasedBy: 'legal' });
    expect(await release({ conversationId })).toEqual(released);
    const next = await hold({ conversationId });
    expect(next).toMatchObject({ inForce: true, placedBy: 'crm' });
    expect((await pool.query('select from legal_hold')).rowCount).toBe(2);
  });

  test.each([
    { conversationId: '01999999-0000-7000-8000-000000000000' },
    { conversationId: 'no-uuid' },
    { userIds: ['alice', 'nobody'] },
    { userIds: ['alice', 'alice'] },
  ])('of %j is NOT_FOUND', async input => {
    await expect(hold(input)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(release(input)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([{}, { conversationId: 'a', userIds: ['a', 'b'] }, { userIds: ['a'] }])('of %j is not taken', input => {
    expect(() => hold(input)).toThrow(expect.objectContaining({ code: 'INVALID_PAYLOAD' }));
  });

  test('that is placed after a conversation was found to be due, and before anything went, keeps all of it', async () => {
    const [{ conversationId }] = (await five()) as [Message];
    await age(conversationId, 5);
    const holder = await pool.connect();
    await holder.query('begin');
    await holder.query('select from conversation where id = $1 for update', [conversationId]);
    const expiring = expireMessages(poolOf(url), BEFORE, NOW);
    await someoneWaits(pool);
    await holder.query(
      `insert into legal_hold (id, conversation_id, placed_at, placed_by) values (gen_random_uuid(), $1, now(), 'crm')`,
      [conversationId],
    );
    await holder.query('commit');
    holder.release();
    expect(await expiring).toBe(0);
    expect((await history()).every(({ content }) => content !== undefined)).toBe(true);
  });

  test('that is placed at the same time either comes before or after what goes, never in between', async () => {
    const [{ conversationId }] = (await five()) as [Message];
    await age(conversationId, 5);
    const [placed, taken] = await Promise.all([hold({ conversationId }), expireMessages(pool, BEFORE, NOW)]);
    expect(placed.inForce).toBe(true);
    expect([0, 5]).toContain(taken);
    expect(await expireMessages(pool, BEFORE, NOW)).toBe(0);
  });
});
