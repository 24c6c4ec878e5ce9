import { beforeAll, describe, expect, test } from '@jest/globals';
import { requestAsService, type Bus } from '@rapport/bus';
import type { Stack } from '@rapport/local-stack';
import type { Pool } from 'pg';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import {
  backOfficeOf,
  barrier,
  connected,
  databaseOf,
  developerOf,
  emit,
  inboxOf,
  runningStack,
  secret,
  send,
  STACK_TIMEOUT_MS,
  type Ack,
} from './kit.ts';
import { storedFacts } from '../libs/service/test/kit.ts';

let stack: Stack;
let database: Pool;
let backOffice: Bus;
let witness: Socket;

beforeAll(async () => {
  stack = await runningStack({
    processes: { gateway: 2, 'messaging-service': 2 },
    env: { CONTACT_POLICY: 'care-team', RATE_LIMIT_BURST: '0' },
  });
  database = databaseOf(stack);
  backOffice = await backOfficeOf(stack);
  witness = await connected(stack, 'witness', { gateway: 1 });
}, STACK_TIMEOUT_MS);

async function relate(verb: 'link' | 'end', clientUserId: string, therapistUserId: string): Promise<void> {
  const input = { clientUserId, therapistUserId };
  const reply = await requestAsService(backOffice, `relationship.${verb}`, { actor: { service: 'crm' }, input });
  expect(reply.code).toBe('OK');
}

/** Two people who may write to each other, and a witness whose typing proves that nothing else is on its way. */
async function pair(name: string): Promise<{ alice: Socket; phone: Socket; bob: Socket; tablet: Socket }> {
  const [a, b] = [`${name}-alice`, `${name}-bob`];
  await Promise.all([relate('link', a, b), relate('link', 'witness', a), relate('link', 'witness', b)]);
  const [alice, phone, bob, tablet] = await Promise.all([
    connected(stack, a),
    connected(stack, a, { gateway: 1 }),
    connected(stack, b),
    connected(stack, b, { gateway: 1 }),
  ]);
  return { alice, phone, bob, tablet };
}

const codeOf = (ack: Ack): string => (ack.ok ? 'OK' : ack.error.code);
const changes = (inbox: [string, Record<string, unknown>][]) =>
  inbox.filter(([event]) => event === 'message:edited' || event === 'message:deleted');

describe('message:edit', () => {
  test('replaces the text for every other socket of both, and keeps the place of the message', async () => {
    const { alice, phone, bob, tablet } = await pair('e');
    const sent = await send(alice, 'e-bob', secret(), { clientMessageId: 'c-1' });
    await send(alice, 'e-bob');
    const inboxes = [alice, phone, bob, tablet].map(inboxOf);
    const content = secret();
    const ack = await emit(alice, 'message:edit', { messageId: sent.id, content });
    const edited = { ...sent, content, version: 3, previousVersion: 2, editedAt: expect.any(String) };
    expect(ack).toEqual({ ok: true, data: edited });
    for (const [socket, user] of [
      [alice, 'e-alice'],
      [phone, 'e-alice'],
      [bob, 'e-bob'],
      [tablet, 'e-bob'],
    ] as const) {
      await barrier(witness, socket, user);
    }
    const told = [['message:edited', edited]];
    expect(inboxes.map(changes)).toEqual([[], told, told, told]);
  });

  test('does not change what a repeated send is compared with', async () => {
    const { alice } = await pair('i');
    const content = secret();
    const sent = await send(alice, 'i-bob', content, { clientMessageId: 'c-1' });
    const edited = await emit(alice, 'message:edit', { messageId: sent.id, content: secret() });
    expect(await emit(alice, 'message:send', { recipientId: 'i-bob', content, clientMessageId: 'c-1' })).toEqual(
      edited,
    );
    const other = { recipientId: 'i-bob', content: secret(), clientMessageId: 'c-1' };
    expect(codeOf(await emit(alice, 'message:send', other))).toBe('CONFLICT');
  });

  test('to the text that it is already is told to nobody and has no version', async () => {
    const { alice, bob } = await pair('s');
    const sent = await send(alice, 's-bob');
    const inbox = inboxOf(bob);
    const again = { messageId: sent.id, content: sent['content'] };
    expect(await emit(alice, 'message:edit', again)).toEqual({ ok: true, data: sent });
    await barrier(witness, bob, 's-bob');
    expect(changes(inbox)).toEqual([]);
  });

  test('keeps the earlier texts for the record, encrypted, and shows them to nobody', async () => {
    const { alice } = await pair('k');
    const { id } = await send(alice, 'k-bob');
    for (let count = 0; count < 2; count += 1) await emit(alice, 'message:edit', { messageId: id, content: secret() });
    const { rows } = await database.query(
      'select revision, key_id, octet_length(sealed) > 28 as has_text from message_revision where message_id = $1 order by 1',
      [id],
    );
    const key_id = expect.any(String);
    expect(rows).toEqual([
      { revision: 0, key_id, has_text: true },
      { revision: 1, key_id, has_text: true },
    ]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a blank text', { content: ' \n' }, 'INVALID_PAYLOAD'],
    ['no text', { content: '' }, 'INVALID_PAYLOAD'],
    ['a text that is too long', { content: 'x'.repeat(10_001) }, 'INVALID_PAYLOAD'],
  ])('to %s is refused', async (_what, more, code) => {
    const { alice } = await pair('x');
    const { id } = await send(alice, 'x-bob');
    expect(codeOf(await emit(alice, 'message:edit', { messageId: id, ...more }))).toBe(code);
  });

  test('of what was deleted is a CONFLICT', async () => {
    const { alice } = await pair('g');
    const { id } = await send(alice, 'g-bob');
    await emit(alice, 'message:delete', { messageId: id });
    expect(codeOf(await emit(alice, 'message:edit', { messageId: id, content: secret() }))).toBe('CONFLICT');
  });
});

describe('message:delete', () => {
  test('leaves a tombstone without content for every other socket of both, and takes it from what is unread', async () => {
    const { alice, phone, bob, tablet } = await pair('d');
    const attachment = { url: 'https://files.example/1', name: secret('file'), mimeType: 'image/png', size: 7 };
    const sent = await send(alice, 'd-bob', secret(), { messageType: 'IMAGE', attachment });
    await send(alice, 'd-bob');
    const inboxes = [alice, phone, bob, tablet].map(inboxOf);
    const ack = await emit(alice, 'message:delete', { messageId: sent.id });
    const { content: _content, attachment: _attachment, ...rest } = sent;
    const deleted = { ...rest, version: 3, previousVersion: 2, deletedAt: expect.any(String) };
    expect(ack).toEqual({ ok: true, data: deleted });
    // Once more changes nothing.
    expect(await emit(alice, 'message:delete', { messageId: sent.id })).toEqual(ack);
    for (const [socket, user] of [
      [alice, 'd-alice'],
      [phone, 'd-alice'],
      [bob, 'd-bob'],
      [tablet, 'd-bob'],
    ] as const) {
      await barrier(witness, socket, user);
    }
    const told = [['message:deleted', deleted]];
    expect(inboxes.map(changes)).toEqual([[], told, told, told]);
    expect(await emit(bob, 'conversation:list')).toMatchObject({ data: { conversations: [{ unreadCount: 1 }] } });
    const history = await emit(bob, 'message:history', { userId: 'd-alice' });
    expect(history).toMatchObject({ data: { messages: [deleted, { seq: 2 }] } });
  });

  test('is still known to a repeated send, which makes no second message', async () => {
    const { alice } = await pair('r');
    const content = secret();
    const { id } = await send(alice, 'r-bob', content, { clientMessageId: 'c-1' });
    const deleted = await emit(alice, 'message:delete', { messageId: id });
    expect(await emit(alice, 'message:send', { recipientId: 'r-bob', content, clientMessageId: 'c-1' })).toEqual(
      deleted,
    );
  });
});

test.each(['message:edit', 'message:delete'])(
  "%s of somebody else's message is refused in the same words as of one that is not there",
  async event => {
    const { alice, bob } = await pair(event.slice(-4));
    const { id } = await send(alice, `${event.slice(-4)}-bob`);
    const refused = await emit(bob, event, { messageId: id, content: secret() });
    expect(refused).toMatchObject({ ok: false, error: { code: 'UNAUTHORIZED' } });
    for (const messageId of ['01999999-0000-7000-8000-000000000000', 'no-uuid', '__proto__']) {
      expect(await emit(bob, event, { messageId, content: secret() })).toEqual(refused);
    }
  },
);

test('when the relationship has ended editing stops; history, reading and taking back go on', async () => {
  const { alice, bob } = await pair('z');
  const [first, second] = [await send(alice, 'z-bob'), await send(alice, 'z-bob')];
  await relate('end', 'z-alice', 'z-bob');
  expect(codeOf(await emit(alice, 'message:edit', { messageId: first.id, content: secret() }))).toBe('UNAUTHORIZED');
  expect(codeOf(await emit(alice, 'message:send', { recipientId: 'z-bob', content: secret() }))).toBe('UNAUTHORIZED');
  expect(codeOf(await emit(alice, 'message:delete', { messageId: second.id }))).toBe('OK');
  expect(await emit(bob, 'message:read', { messageId: first.id })).toMatchObject({
    ok: true,
    data: { unreadCount: 0 },
  });
  const history = await emit(bob, 'message:history', { conversationId: first.conversationId });
  expect(history).toMatchObject({
    data: { messages: [{ id: first.id }, { id: second.id, deletedAt: expect.any(String) }] },
  });
});

test('edits and deletions are facts, with ids and numbers and nothing else', async () => {
  const { alice } = await pair('f');
  const { id: messageId, conversationId } = await send(alice, 'f-bob');
  await emit(alice, 'message:edit', { messageId, content: secret() });
  await emit(alice, 'message:delete', { messageId });
  await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
  const ids = { messageId, conversationId, senderId: 'f-alice', recipientId: 'f-bob', seq: 1 };
  const facts = (await storedFacts(await developerOf(stack))).map(({ data }) => data);
  expect(facts.filter(data => data['messageId'] === messageId).slice(1)).toEqual([
    { ...ids, version: 2 },
    { ...ids, version: 3 },
  ]);
});

test('edits and deletions of both at once take every version once, and both see them in that order', async () => {
  const { alice, bob } = await pair('p');
  const [mine, theirs] = [
    await Promise.all(Array.from({ length: 20 }, () => send(alice, 'p-bob'))),
    await Promise.all(Array.from({ length: 20 }, () => send(bob, 'p-alice'))),
  ];
  const inboxes = [alice, bob].map(inboxOf);
  const acks = await Promise.all([
    ...mine.map(({ id }, index) =>
      emit(alice, index % 2 ? 'message:edit' : 'message:delete', { messageId: id, content: secret() }),
    ),
    ...theirs.map(({ id }) => emit(bob, 'message:edit', { messageId: id, content: secret() })),
  ]);
  const versions = acks.map(ack => (ack.ok ? (ack.data['version'] as number) : 0));
  expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 41));
  await Promise.all([barrier(witness, alice, 'p-alice'), barrier(witness, bob, 'p-bob')]);
  for (const inbox of inboxes) {
    const seen = changes(inbox).map(([, { version }]) => version as number);
    expect(seen).toHaveLength(20);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  }
});
