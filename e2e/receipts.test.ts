import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Pool } from 'pg';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import {
  barrier,
  connected,
  databaseOf,
  emit,
  inboxOf,
  next,
  runningStack,
  send,
  STACK_TIMEOUT_MS,
  type Ack,
} from './kit.ts';

let stack: Stack;
let database: Pool;
let witness: Socket;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'messaging-service': 2 }, env: { RATE_LIMIT_BURST: '0' } });
  database = databaseOf(stack);
  witness = await connected(stack, 'witness', { gateway: 1 });
}, STACK_TIMEOUT_MS);

const REFUSED = { ok: false, error: { code: 'UNAUTHORIZED' } };
const dataOf = (ack: Ack): Record<string, unknown> => (ack.ok ? ack.data : { error: ack.error });

/** What came besides typing and the message itself. */
const receipts = (inbox: [string, Record<string, unknown>][]) =>
  inbox.filter(([event]) => event === 'message:read' || event === 'message:delivered');

/** Somebody with two sockets, on two gateways. */
const twoSockets = (user: string) => Promise.all([0, 1].map(gateway => connected(stack, user, { gateway })));

describe('message:read', () => {
  test('is told to the other party and to the other sockets of the reader, who has it in the ack', async () => {
    const [[alice, alicePhone], [bob, bobPhone]] = await Promise.all([twoSockets('r-alice'), twoSockets('r-bob')]);
    const sockets = [alice!, alicePhone!, bob!, bobPhone!];
    const { id, conversationId } = await send(alice!, 'r-bob');
    const inboxes = sockets.map(inboxOf);
    const ack = await emit(bob!, 'message:read', { messageId: id });
    expect(ack).toEqual({ ok: true, data: { conversationId, readUpToSeq: 1, unreadCount: 0, version: 2 } });
    for (const [index, socket] of sockets.entries()) await barrier(witness, socket, index < 2 ? 'r-alice' : 'r-bob');
    const event = {
      conversationId,
      messageId: id,
      seq: 1,
      readBy: 'r-bob',
      readAt: expect.any(String),
      version: 2,
      previousVersion: 1,
    };
    const told = [['message:read', event]];
    expect(inboxes.map(receipts)).toEqual([told, told, [], told]);
  });

  test('reads everything up to the message and leaves the rest unread, whatever one has written oneself', async () => {
    const [alice, bob] = await Promise.all([connected(stack, 'u-alice'), connected(stack, 'u-bob')]);
    const ids: string[] = [];
    for (let count = 0; count < 4; count += 1) ids.push((await send(alice, 'u-bob')).id);
    const own = await send(bob, 'u-alice');
    await send(alice, 'u-bob');
    expect(dataOf(await emit(bob, 'message:read', { messageId: ids[1] }))).toMatchObject({
      readUpToSeq: 2,
      unreadCount: 3,
    });
    // One's own message reads what came before it.
    expect(dataOf(await emit(bob, 'message:read', { messageId: own.id }))).toMatchObject({
      readUpToSeq: 5,
      unreadCount: 1,
    });
  });

  test('never moves back, and one that says nothing new is told to nobody', async () => {
    const [alice, bob] = await Promise.all([connected(stack, 'b-alice'), connected(stack, 'b-bob')]);
    const [first, second] = [await send(alice, 'b-bob'), await send(alice, 'b-bob')];
    await emit(bob, 'message:read', { messageId: second.id });
    const inbox = inboxOf(alice);
    const state = { readUpToSeq: 2, unreadCount: 0, version: 3 };
    for (const { id } of [first, second]) {
      expect(dataOf(await emit(bob, 'message:read', { messageId: id }))).toMatchObject(state);
      expect(dataOf(await emit(bob, 'message:delivered', { messageId: id }))).toEqual({ version: 3 });
    }
    await barrier(witness, alice, 'b-alice');
    expect(receipts(inbox)).toEqual([]);
  });

  test('is a fact, and the stream has it without content', async () => {
    const [alice, bob] = await Promise.all([connected(stack, 'f-alice'), connected(stack, 'f-bob')]);
    const { id, conversationId } = await send(alice, 'f-bob');
    await emit(bob, 'message:read', { messageId: id });
    const { rows } = await database.query(
      `select f->'data' as data from outbox, json_array_elements(facts) as f
        where f->>'fact' = 'message.read' and f->'data'->>'userId' = 'f-bob'`,
    );
    expect(rows).toEqual([
      {
        data: {
          conversationId,
          userId: 'f-bob',
          otherUserId: 'f-alice',
          readUpToSeq: 1,
          version: 2,
          readAt: expect.any(String),
        },
      },
    ]);
    await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
  });
});

describe('message:delivered', () => {
  test('is told to both, and reading later is told as reading alone', async () => {
    const [[alice, alicePhone], [bob, bobPhone]] = await Promise.all([twoSockets('d-alice'), twoSockets('d-bob')]);
    const sockets = [alice!, alicePhone!, bob!, bobPhone!];
    const { id, conversationId } = await send(alice!, 'd-bob');
    const inboxes = sockets.map(inboxOf);
    expect(await emit(bob!, 'message:delivered', { messageId: id })).toEqual({ ok: true, data: { version: 2 } });
    await emit(bobPhone!, 'message:read', { messageId: id });
    for (const [index, socket] of sockets.entries()) await barrier(witness, socket, index < 2 ? 'd-alice' : 'd-bob');
    const where = { conversationId, messageId: id, seq: 1 };
    const delivered = [
      'message:delivered',
      { ...where, deliveredTo: 'd-bob', deliveredAt: expect.any(String), version: 2, previousVersion: 1 },
    ];
    const read = [
      'message:read',
      { ...where, readBy: 'd-bob', readAt: expect.any(String), version: 3, previousVersion: 2 },
    ];
    expect(inboxes.map(receipts)).toEqual([[delivered, read], [delivered, read], [delivered, read], [delivered]]);
  });
});

test.each(['message:read', 'message:delivered'])(
  '%s of a message that is not there and of one that is not theirs are refused in the same words',
  async event => {
    const [alice, mallory] = await Promise.all([connected(stack, 'm-alice'), connected(stack, 'm-mallory')]);
    const { id, conversationId } = await send(alice, 'm-bob');
    const theirs = await emit(mallory, event, { messageId: id });
    expect(theirs).toMatchObject(REFUSED);
    for (const messageId of ['01999999-0000-7000-8000-000000000000', 'no-uuid', '__proto__', conversationId]) {
      expect(await emit(mallory, event, { messageId })).toEqual(theirs);
    }
    const { rows } = await database.query('select version, read_seq_a, read_seq_b from conversation where id = $1', [
      conversationId,
    ]);
    expect(rows).toEqual([{ version: expect.any(Number), read_seq_a: 0, read_seq_b: 0 }]);
  },
);

test('hundreds of marks that arrive together become few events, in the order of their versions, and all are answered', async () => {
  const [alice, bob] = await Promise.all([connected(stack, 'c-alice'), connected(stack, 'c-bob', { gateway: 1 })]);
  const messages = await Promise.all(Array.from({ length: 300 }, () => send(alice, 'c-bob')));
  const inbox = inboxOf(alice);
  const last = new Promise<void>(resolve =>
    alice.on('message:read', ({ seq }: { seq: number }) => seq === 300 && resolve()),
  );
  const acks = await Promise.all(messages.map(({ id }) => emit(bob, 'message:read', { messageId: id })));
  await last;
  expect(acks.every(({ ok }) => ok)).toBe(true);
  for (const [index, ack] of acks.entries()) {
    expect((dataOf(ack)['readUpToSeq'] as number) >= messages[index]!.seq).toBe(true);
  }
  const told = receipts(inbox).map(
    ([, payload]) => payload as { version: number; previousVersion: number; seq: number },
  );
  expect(told.length).toBeLessThan(150);
  for (const { previousVersion, version } of told) expect(version).toBe(previousVersion + 1);
  for (const [earlier, later] of told.slice(1).map((each, index) => [told[index]!, each] as const)) {
    expect(later.previousVersion).toBe(earlier.version);
    expect(later.seq).toBeGreaterThan(earlier.seq);
  }
});

test('a message that is read while its reader has it nowhere else to show still reaches the sender after a reconnect', async () => {
  const [alice, bob] = await Promise.all([connected(stack, 'o-alice'), connected(stack, 'o-bob')]);
  const { id, conversationId, version } = await send(alice, 'o-bob');
  alice.disconnect();
  await emit(bob, 'message:read', { messageId: id });
  const back = next(alice, 'session:ready');
  alice.connect();
  await back;
  const synced = dataOf(await emit(alice, 'message:sync', { cursors: { [conversationId]: version } }));
  expect(synced).toMatchObject({
    messages: [],
    conversations: [
      {
        id: conversationId,
        version: 2,
        syncedTo: 2,
        participants: expect.arrayContaining([{ userId: 'o-bob', readUpToSeq: 1, deliveredUpToSeq: 1 }]),
      },
    ],
    hasMore: false,
  });
});
