import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Conversation, Message, SyncedConversation } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { connected, emit, runningStack, secret, send, STACK_TIMEOUT_MS } from './kit.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'messaging-service': 2 }, env: { RATE_LIMIT_BURST: '0' } });
}, STACK_TIMEOUT_MS);

async function ask<Data>(socket: Socket, event: string, input?: object): Promise<Data> {
  const ack = await emit(socket, event, ...(input ? [input] : []));
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data as Data;
}

interface Synced {
  messages: Message[];
  conversations: SyncedConversation[];
  hasMore: boolean;
}

/** As a client does: again with the cursors of the last answer until there is no more. */
async function syncAll(socket: Socket, cursors: Record<string, number>, limit?: number) {
  const known = { ...cursors };
  const messages: Message[] = [];
  let pages = 0;
  for (let hasMore = true; hasMore; pages += 1) {
    const page = await ask<Synced>(socket, 'message:sync', { cursors: known, ...(limit && { limit }) });
    messages.push(...page.messages);
    for (const { id, syncedTo } of page.conversations) known[id] = syncedTo;
    hasMore = page.hasMore;
  }
  return { messages, cursors: known, pages };
}

const pair = (name: string) =>
  Promise.all([connected(stack, `${name}-alice`), connected(stack, `${name}-bob`, { gateway: 1 })]);

describe('message:sync', () => {
  test('brings what was sent, edited, deleted and read meanwhile, in the order of the versions', async () => {
    const [alice, bob] = await pair('s');
    const sent: Message[] = [];
    for (let count = 0; count < 5; count += 1) sent.push((await send(alice, 's-bob')) as unknown as Message);
    const { conversationId } = sent[0]!;
    const cursor = sent[2]!.version;

    const edited = await ask<Message>(alice, 'message:edit', { messageId: sent[0]!.id, content: secret() });
    const deleted = await ask<Message>(alice, 'message:delete', { messageId: sent[1]!.id });
    await ask(bob, 'message:read', { messageId: sent[3]!.id });

    const page = await ask<Synced>(bob, 'message:sync', { cursors: { [conversationId]: cursor } });
    expect(page.messages).toEqual([sent[3], sent[4], edited, deleted]);
    const version = deleted.version + 1;
    expect(page.conversations).toEqual([
      {
        id: conversationId,
        version,
        syncedTo: version,
        participants: [
          { userId: 's-alice', readUpToSeq: 0, deliveredUpToSeq: 0 },
          { userId: 's-bob', readUpToSeq: 4, deliveredUpToSeq: 4 },
        ],
        unreadCount: 1,
        lastSeq: 5,
        readUpToSeq: 4,
        lastMessage: sent[4],
      },
    ]);
    expect(page.hasMore).toBe(false);
    const again = await ask<Synced>(bob, 'message:sync', { cursors: { [conversationId]: version } });
    expect(again).toEqual({ messages: [], conversations: [], hasMore: false });
  });

  test('comes to the same in pages of any size, over several conversations, each once', async () => {
    const [alice, bob] = await pair('p');
    for (let count = 0; count < 30; count += 1) {
      await send(alice, 'p-bob');
      await send(bob, count % 3 ? 'p-alice' : 'p-carol');
    }
    const conversations = await ask<{ conversations: Conversation[] }>(bob, 'conversation:list');
    const cursors = Object.fromEntries(conversations.conversations.map(({ id }) => [id, 0]));
    const whole = await syncAll(bob, cursors);
    expect(whole.messages).toHaveLength(60);
    for (const limit of [1, 7, 60]) {
      const paged = await syncAll(bob, cursors, limit);
      expect(paged.messages).toEqual(whole.messages);
      expect(paged.cursors).toEqual(whole.cursors);
    }
    expect((await syncAll(bob, cursors, 7)).pages).toBe(9);
  });

  test('shows the state of a conversation that was not named, and not its messages', async () => {
    const [alice, bob] = await pair('n');
    const message = await send(alice, 'n-bob');
    const page = await ask<Synced>(bob, 'message:sync', { cursors: {} });
    expect(page).toEqual({
      messages: [],
      conversations: [
        expect.objectContaining({
          id: message.conversationId,
          version: 1,
          syncedTo: 1,
          unreadCount: 1,
          lastMessage: message,
        }),
      ],
      hasMore: false,
    });
  });

  test('ignores cursors of conversations of others in the same way as of none at all', async () => {
    const [alice] = await pair('o');
    const mallory = await connected(stack, 'o-mallory');
    const { conversationId } = await send(alice, 'o-bob');
    const nothing = { messages: [], conversations: [], hasMore: false };
    for (const id of [conversationId, '01999999-0000-7000-8000-000000000000', 'no-uuid', 'constructor']) {
      expect(await ask(mallory, 'message:sync', { cursors: { [id]: 0 } })).toEqual(nothing);
    }
  });

  test('of long messages comes in pages that fit, and loses none', async () => {
    const [alice, bob] = await pair('l');
    const contents = Array.from({ length: 40 }, () => secret() + '\u0001'.repeat(9_900));
    for (const content of contents) await send(alice, 'l-bob', content);
    const { conversations } = await ask<Synced>(bob, 'message:sync', { cursors: {} });
    const { messages, pages } = await syncAll(bob, { [conversations[0]!.id]: 0 }, 500);
    expect(messages.map(({ content }) => content)).toEqual(contents);
    expect(pages).toBeGreaterThan(4);
  });

  test.each<[string, unknown]>([
    ['more than 500 conversations', Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`c-${index}`, 0]))],
    ['a version below nothing', { c: -1 }],
    ['a version that is none', { c: 1.5 }],
    ['a version beyond all', { c: 2 ** 31 }],
    ['what is no id', { 'a.b': 0 }],
    ['a list', [1]],
  ])('does not take %s', async (_what, cursors) => {
    const socket = await connected(stack, 'bad');
    expect(await emit(socket, 'message:sync', { cursors })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_PAYLOAD' },
    });
  });
});

describe('message:history', () => {
  test('goes back page by page, oldest first within each, by conversation and by person', async () => {
    const [alice, bob] = await pair('h');
    const sent = [];
    for (let count = 0; count < 7; count += 1)
      sent.push(await send(count % 2 ? bob : alice, count % 2 ? 'h-alice' : 'h-bob'));
    const { conversationId } = sent[0]!;
    const by = { conversationId };
    expect(await ask(bob, 'message:history', { ...by, limit: 3 })).toEqual({ messages: sent.slice(4), hasMore: true });
    expect(await ask(bob, 'message:history', { ...by, limit: 3, beforeSeq: 5 })).toEqual({
      messages: sent.slice(1, 4),
      hasMore: true,
    });
    const rest = { messages: sent.slice(0, 1), hasMore: false };
    expect(await ask(bob, 'message:history', { ...by, beforeSeq: 2 })).toEqual(rest);
    expect(await ask(bob, 'message:history', { ...by, beforeSeq: 1 })).toEqual({ messages: [], hasMore: false });
    expect(await ask(alice, 'message:history', { userId: 'h-bob' })).toEqual({ messages: sent, hasMore: false });
    expect(await ask(alice, 'message:history', { userId: 'h-nobody' })).toEqual({ messages: [], hasMore: false });
  });

  test("of somebody else's conversation is refused in the same words as of one that is not there", async () => {
    const [alice] = await pair('x');
    const { conversationId } = await send(alice, 'x-bob');
    const mallory = await connected(stack, 'x-mallory');
    const refused = await emit(mallory, 'message:history', { conversationId });
    expect(refused).toMatchObject({ ok: false, error: { code: 'UNAUTHORIZED' } });
    for (const id of ['01999999-0000-7000-8000-000000000000', 'no-uuid']) {
      expect(await emit(mallory, 'message:history', { conversationId: id })).toEqual(refused);
    }
  });

  test.each<[string, object]>([
    ['neither a conversation nor a person', {}],
    ['both', { conversationId: 'a', userId: 'b' }],
    ['too many', { userId: 'b', limit: 201 }],
    ['none', { userId: 'b', limit: 0 }],
    ['a place before the first', { userId: 'b', beforeSeq: 0 }],
    ['a place beyond all', { userId: 'b', beforeSeq: 2 ** 31 }],
  ])('of %s is not taken', async (_what, input) => {
    const socket = await connected(stack, 'bad');
    expect(await emit(socket, 'message:history', input)).toMatchObject({
      ok: false,
      error: { code: 'INVALID_PAYLOAD' },
    });
  });
});

describe('conversation:list', () => {
  test('shows the latest first, page by page, each once, and only those of the caller', async () => {
    const alice = await connected(stack, 'c-alice');
    let last: unknown;
    for (const count of [0, 1, 2, 3, 4, 5, 6, 3, 0, 5]) {
      const message = await send(alice, `c-${count}`);
      last = message;
      // The next one in another millisecond.
      await until(() => Date.now() > Date.parse(String(message['createdAt'])));
    }
    const all = await ask<{ conversations: Conversation[]; nextCursor?: string }>(alice, 'conversation:list');
    const others = all.conversations.map(({ participants }) =>
      participants.map(({ userId }) => userId).find(id => id !== 'c-alice'),
    );
    expect(others).toEqual(['c-5', 'c-0', 'c-3', 'c-6', 'c-4', 'c-2', 'c-1']);
    expect(all.nextCursor).toBeUndefined();
    expect(all.conversations[0]).toEqual({
      id: expect.any(String),
      version: 2,
      participants: [
        { userId: 'c-5', readUpToSeq: 0, deliveredUpToSeq: 0 },
        { userId: 'c-alice', readUpToSeq: 0, deliveredUpToSeq: 0 },
      ],
      lastMessage: last,
      unreadCount: 0,
      lastSeq: 2,
      readUpToSeq: 0,
    });
    const paged: Conversation[] = [];
    let cursor: string | undefined;
    do {
      const page: { conversations: Conversation[]; nextCursor?: string } = await ask(alice, 'conversation:list', {
        limit: 3,
        ...(cursor && { cursor }),
      });
      paged.push(...page.conversations);
      cursor = page.nextCursor;
    } while (cursor);
    expect(paged).toEqual(all.conversations);
    const [theirs] = (await ask<{ conversations: Conversation[] }>(await connected(stack, 'c-5'), 'conversation:list'))
      .conversations;
    expect(theirs).toMatchObject({ unreadCount: 2, lastSeq: 2 });
  });

  test.each([
    '',
    'x',
    'WzEsMl0',
    Buffer.from('[1,"x"]').toString('base64url'),
    Buffer.from('[-1,null]').toString('base64url'),
  ])('does not take %j for a cursor', async cursor => {
    const socket = await connected(stack, 'bad');
    expect(await emit(socket, 'conversation:list', { cursor })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_PAYLOAD', details: [{ path: 'cursor' }] },
    });
  });
});
