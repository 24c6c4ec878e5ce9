import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { inSeconds, sign } from '../gateway/test/token.ts';
import { atEnd } from '../libs/service/test/kit.ts';
import { io } from 'socket.io-client';
import { clientOf, connected, databaseOf, emit, next, runningStack, secret, send, STACK_TIMEOUT_MS } from './kit.ts';

let stack: Stack;
let alice: Socket;

beforeAll(async () => {
  stack = await runningStack();
  alice = await connected(stack, 'alice');
}, STACK_TIMEOUT_MS);

const BLANK = { path: 'content', message: 'must not be blank for TEXT' };

describe('a failure', () => {
  test('goes to the ack callback where there is one', async () => {
    expect(await emit(alice, 'message:send', { recipientId: 'bob', content: '   ' })).toEqual({
      ok: false,
      error: { code: 'INVALID_PAYLOAD', message: expect.any(String), details: [BLANK] },
    });
  });

  test('is the error event, with the name of what failed, where there is none', async () => {
    const error = next(alice, 'error');
    alice.emit('message:send', { recipientId: 'bob', content: '   ' });
    expect(await error).toEqual({
      code: 'INVALID_PAYLOAD',
      message: expect.any(String),
      event: 'message:send',
      details: [BLANK],
    });
  });

  test('of the service comes in the same two forms', async () => {
    const input = { recipientId: 'bob', content: secret(), replyToId: 'message-uuid' };
    const details = [{ path: 'replyToId', message: 'must be a message of this conversation' }];
    const error = next(alice, 'error');
    alice.emit('message:send', input);
    expect(await error).toMatchObject({ code: 'INVALID_PAYLOAD', event: 'message:send', details });
    expect(await emit(alice, 'message:send', input)).toMatchObject({ error: { code: 'INVALID_PAYLOAD', details } });
  });

  test('of one event with an ack is no error event', async () => {
    const errors: unknown[] = [];
    const listener = (error: unknown): void => void errors.push(error);
    alice.on('error', listener);
    await emit(alice, 'message:send', {});
    await send(alice, 'bob');
    alice.off('error', listener);
    expect(errors).toEqual([]);
  });
});

describe('a payload', () => {
  test.each<[string, unknown[], string[]]>([
    ['nothing', [], ['']],
    ['null', [null], ['']],
    ['a text', ['Hello!'], ['']],
    ['a list', [[]], ['']],
    ['no field', [{}], ['recipientId', 'content']],
    ['a wrong type', [{ recipientId: 7, content: { text: 'x' } }], ['recipientId', 'content']],
    ['an id that NATS would read as a pattern', [{ recipientId: 'a.>', content: 'x' }], ['recipientId']],
    ['binary content', [{ recipientId: 'bob', content: Buffer.from('x') }], ['content']],
    ['NUL', [{ recipientId: 'bob', content: 'a\0b' }], ['content']],
    ['too much content', [{ recipientId: 'bob', content: 'x'.repeat(10_001) }], ['content']],
    ['an unknown type', [{ recipientId: 'bob', content: 'x', messageType: 'GIF' }], ['messageType']],
    ['an image without an attachment', [{ recipientId: 'bob', content: 'x', messageType: 'IMAGE' }], ['attachment']],
    ['oneself as recipient', [{ recipientId: 'alice', content: 'x' }], ['recipientId']],
  ])('of %s is INVALID_PAYLOAD, its details name the fields', async (_what, input, paths) => {
    const ack = await emit(alice, 'message:send', ...input);
    expect(ack).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD' } });
    const { details } = (ack as { error: { details: { path: string; message: string }[] } }).error;
    expect(details.map(({ path }) => path)).toEqual(paths);
    expect(details.every(({ message }) => message !== '')).toBe(true);
  });

  test('with fields that nobody knows is taken without them', async () => {
    expect(await send(alice, 'bob', secret(), { senderId: 'mallory', seq: 99, hack: true })).toMatchObject({
      senderId: 'alice',
    });
  });

  test('of 10,000 characters outside the basic plane is kept byte for byte', async () => {
    const content = '🫂'.repeat(10_000);
    expect((await send(alice, 'bob', content))['content']).toBe(content);
  });

  test('that is refused leaves nothing in the database', async () => {
    const count = async () => (await databaseOf(stack).query('select count(*) from message')).rows;
    const before = await count();
    await emit(alice, 'message:send', { recipientId: 'bob', content: 'x', messageType: 'GIF' });
    expect(await count()).toEqual(before);
  });
});

test.each(['message:burn', 'message.send', 'error', 'constructor', '__proto__', 'toString', ''])(
  'the event "%s" is not in the table: INVALID_PAYLOAD, and the gateway lives on',
  async event => {
    expect(await emit(alice, event, {})).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD' } });
    const error = next(alice, 'error');
    alice.emit(event, {});
    expect(await error).toMatchObject({ code: 'INVALID_PAYLOAD', event });
    await send(alice, 'bob');
  },
);

describe('a handshake', () => {
  const refusal = async (socket: Socket): Promise<{ message: string; data?: unknown }> => {
    socket.connect();
    const error = await next<{ message: string; data?: unknown }>(socket, 'connect_error');
    return { message: error.message, data: error.data };
  };

  test.each<[string, object, string]>([
    ['expired', { exp: inSeconds(-10) }, 'expired'],
    ['not valid yet', { nbf: inSeconds(600) }, 'not-yet-valid'],
    ['for a user id that is a pattern', { sub: '*' }, 'invalid'],
    ['without an end', { exp: undefined }, 'invalid'],
  ])('with a token %s is refused, and the client learns why', async (_what, claims, reason) => {
    expect(await refusal(clientOf(stack, 'mallory', { claims }))).toEqual({
      message: 'AUTHENTICATION_FAILED',
      data: { code: 'AUTHENTICATION_FAILED', reason },
    });
  });

  test.each([
    ['no token', undefined, 'missing'],
    ['no JSON Web Token', 'abc', 'malformed'],
    ['a token that another key signed', sign({ sub: 'a', exp: inSeconds(60) }, 'x'.repeat(32)), 'invalid'],
  ])('with %s is refused, and the client learns why', async (_what, token, reason) => {
    const socket = io(stack.gateways[0], { auth: { token }, autoConnect: false, forceNew: true });
    atEnd(() => socket.disconnect());
    expect(await refusal(socket)).toMatchObject({ data: { code: 'AUTHENTICATION_FAILED', reason } });
  });

  test('may carry the token in the Authorization header', async () => {
    const extraHeaders = { authorization: `Bearer ${sign({ sub: 'tool', exp: inSeconds(60) }, stack.jwtSecret)}` };
    const socket = io(stack.gateways[0], { extraHeaders, forceNew: true });
    atEnd(() => socket.disconnect());
    await next(socket, 'connect');
    expect(await send(socket, 'bob')).toMatchObject({ senderId: 'tool' });
  });
});

test('a packet over the limit closes its socket and no other', async () => {
  const [large, small] = await Promise.all([connected(stack, 'large'), connected(stack, 'small')]);
  const closed = next<string>(large, 'disconnect');
  large.emit('message:send', { recipientId: 'bob', content: 'x'.repeat(70_000) });
  expect(await closed).toBe('transport close');
  expect(small.connected).toBe(true);
  await send(small, 'bob');
});
