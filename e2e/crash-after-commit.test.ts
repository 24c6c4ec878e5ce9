import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { storedFacts, until } from '../libs/service/test/kit.ts';
import {
  connected,
  databaseOf,
  developerOf,
  inboxOf,
  next,
  runningStack,
  secret,
  send,
  STACK_TIMEOUT_MS,
} from './kit.ts';
import { holdCommits } from './hold-commits.ts';
import { sendUntilAcked } from './traffic.ts';

let stack: Stack;
let database: Pool;

beforeAll(async () => {
  stack = await runningStack();
  database = databaseOf(stack);
}, STACK_TIMEOUT_MS);

test('a message whose service was killed between commit and publishing is delivered, and is a fact, all the same', async () => {
  const [alice, phone, bob] = await Promise.all([
    connected(stack, 'alice'),
    connected(stack, 'alice'),
    connected(stack, 'bob'),
  ]);
  const service = stack.programs.get('messaging-service')!;
  const inbox = inboxOf(bob);
  const delivered = [next(bob, 'message:received'), next(phone, 'message:sent')];

  const commits = await holdCommits(database, 'message', "new.recipient_id = 'bob'");
  const content = secret();
  alice.emit('message:send', { recipientId: 'bob', content, clientMessageId: 'c-1' });
  await commits.held();
  service.kill('SIGKILL');
  await until(() => service.pid === undefined);
  await commits.release();
  await service.ready();

  const [received, sent] = await Promise.all(delivered);
  expect(received).toMatchObject({ senderId: 'alice', content, seq: 1, clientMessageId: 'c-1' });
  expect(sent).toEqual(received);
  const { id } = await send(alice, 'bob', content, { clientMessageId: 'c-1' });
  expect(id).toBe(received!['id']);

  const after = await sendUntilAcked(alice, 'bob', 'c-2');
  expect(after.seq).toBe(2);
  await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
  const facts = (await storedFacts(await developerOf(stack))).map(({ data }) => data['messageId']);
  expect(facts).toEqual([id, after.id]);
  expect(inbox.map(([event, message]) => [event, message['id']])).toEqual([
    ['message:received', id],
    ['message:received', after.id],
  ]);
}, 60_000);

test.each<[string, string, (messageId: string) => [string, object], object]>([
  [
    'an edit',
    'message:edited',
    messageId => ['message:edit', { messageId, content: secret() }],
    { editedAt: expect.any(String) },
  ],
  ['a deletion', 'message:deleted', messageId => ['message:delete', { messageId }], { deletedAt: expect.any(String) }],
  ['a read marker', 'message:read', messageId => ['message:read', { messageId }], { readBy: 'dave' }],
])(
  '%s whose service was killed between commit and publishing is told to both, and is a fact, all the same',
  async (_what, event, change, expected) => {
    const [erin, daveSocket, otherOfErin, otherOfDave] = await Promise.all([
      connected(stack, 'erin'),
      connected(stack, 'dave'),
      connected(stack, 'erin'),
      connected(stack, 'dave'),
    ]);
    const service = stack.programs.get('messaging-service')!;
    const { id, version } = await send(erin, 'dave');
    const told = [otherOfErin, otherOfDave].map(socket => next(socket, event));

    const fact = event.replace(':', '.');
    const commits = await holdCommits(database, 'outbox', `new.facts->0->>'fact' = '${fact}'`);
    const actor = event === 'message:read' ? daveSocket : erin;
    actor.emit(...change(id));
    await commits.held();
    service.kill('SIGKILL');
    await until(() => service.pid === undefined);
    await commits.release();
    await service.ready();

    const where = { version: (version as number) + 1, previousVersion: version };
    for (const payload of await Promise.all(told)) {
      expect(payload).toMatchObject({ ...where, ...expected, [event === 'message:read' ? 'messageId' : 'id']: id });
    }
    await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
    const { rows } = await database.query(
      `select f->>'id' as id from outbox, json_array_elements(facts) as f where f->>'fact' = $1`,
      [fact],
    );
    const stored = (await storedFacts(await developerOf(stack))).map(each => each.id);
    expect(rows.every(row => stored.includes(row.id))).toBe(true);
  },
  60_000,
);
