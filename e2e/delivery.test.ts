import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Pool } from 'pg';
import {
  barrier,
  connected,
  databaseOf,
  emit,
  inboxOf,
  next,
  runningStack,
  secret,
  send,
  STACK_TIMEOUT_MS,
} from './kit.ts';
import { holdCommits } from './hold-commits.ts';

let stack: Stack;
let database: Pool;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'messaging-service': 2 }, env: { RATE_LIMIT_BURST: '0' } });
  database = databaseOf(stack);
}, STACK_TIMEOUT_MS);

test('a message reaches all sockets of the recipient and the other sockets of the sender, on every gateway', async () => {
  const sending = await connected(stack, 'alice');
  const [others, recipients, strangers] = await Promise.all([
    Promise.all([0, 1].map(gateway => connected(stack, 'alice', { gateway }))),
    Promise.all([0, 1].map(gateway => connected(stack, 'bob', { gateway }))),
    Promise.all([0, 1].map(gateway => connected(stack, 'carol', { gateway }))),
  ]);
  const sockets = [sending, ...others, ...recipients, ...strangers];
  const inboxes = sockets.map(inboxOf);
  const content = secret();
  const message = await send(sending, 'bob', content);
  expect(message).toMatchObject({ senderId: 'alice', recipientId: 'bob', content, messageType: 'TEXT', seq: 1 });

  const dave = await connected(stack, 'dave', { gateway: 1 });
  for (const [index, socket] of sockets.entries()) {
    await barrier(dave, socket, index < 3 ? 'alice' : index < 5 ? 'bob' : 'carol');
  }
  const messages = inboxes.map(inbox => inbox.filter(([event]) => event !== 'user:typing'));
  expect(messages).toEqual([
    [],
    [['message:sent', message]],
    [['message:sent', message]],
    [['message:received', message]],
    [['message:received', message]],
    [],
    [],
  ]);
});

test('neither the ack nor the message comes before the commit', async () => {
  const [early, late, other] = await Promise.all(['early', 'late', 'other'].map(user => connected(stack, user)));
  const inbox = inboxOf(late!);
  const commits = await holdCommits(database, 'message', "new.recipient_id = 'late'");
  let acked = false;
  const sent = send(early!, 'late').finally(() => (acked = true));
  await commits.held();
  await barrier(other!, late!, 'late');
  await barrier(other!, early!, 'early');
  expect(acked).toBe(false);
  expect(inbox.map(([event]) => event)).toEqual(['user:typing']);

  const received = next(late!, 'message:received');
  await commits.release();
  const { id } = await sent;
  expect(await received).toMatchObject({ id });
  expect((await database.query('select from message where id = $1', [id])).rowCount).toBe(1);
});

test('when the ack arrives the row is in the database', async () => {
  const [one, other] = await Promise.all(['u-1', 'u-2'].map(user => connected(stack, user)));
  for (let count = 0; count < 20; count += 1) {
    const { id, seq } = await send(count % 2 ? one! : other!, count % 2 ? 'u-2' : 'u-1');
    const { rows } = await database.query('select seq from message where id = $1', [id]);
    expect(rows).toEqual([{ seq }]);
  }
});

test('typing reaches the other person, and only them, and is stored nowhere', async () => {
  const [writer, reader, stranger] = await Promise.all([
    connected(stack, 'writer'),
    connected(stack, 'reader', { gateway: 1 }),
    connected(stack, 'stranger'),
  ]);
  const inbox = inboxOf(stranger);
  const before = await database.query('select count(*) from outbox');
  for (const isTyping of [true, false]) {
    const notice = next(reader, 'user:typing');
    expect(await emit(writer, 'message:typing', { recipientId: 'reader', isTyping })).toEqual({ ok: true, data: {} });
    expect(await notice).toEqual({ userId: 'writer', isTyping });
  }
  await barrier(reader, stranger, 'stranger');
  expect(inbox).toEqual([['user:typing', { userId: 'reader', isTyping: true }]]);
  expect((await database.query('select count(*) from outbox')).rows).toEqual(before.rows);
});

test('500 sends of one socket that wait for no ack arrive and are stored in the order they were sent', async () => {
  const [sender, recipient] = await Promise.all([
    connected(stack, 'fast'),
    connected(stack, 'patient', { gateway: 1 }),
  ]);
  const contents = Array.from({ length: 500 }, (_, index) => `${secret()} ${index}`);
  const inbox = inboxOf(recipient);
  const acks = await Promise.all(contents.map(content => send(sender, 'patient', content)));
  expect(acks.map(({ seq }) => seq)).toEqual(contents.map((_, index) => index + 1));
  await barrier(sender, recipient, 'patient');
  const received = inbox.filter(([event]) => event === 'message:received').map(([, message]) => message);
  expect(received.map(({ content }) => content)).toEqual(contents);
  const stored = await database.query<{ id: string }>(
    'select id from message where conversation_id = $1 order by seq',
    [acks[0]!.conversationId],
  );
  expect(stored.rows.map(({ id }) => id)).toEqual(acks.map(({ id }) => id));
});
