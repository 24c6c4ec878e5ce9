import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { io, type ManagerOptions, type Socket } from 'socket.io-client';
import { atEnd } from '../libs/service/test/kit.ts';
import { affinityProxy } from './affinity-proxy.ts';
import { connected, emit, next, runningStack, secret, send, STACK_TIMEOUT_MS, tokenOf } from './kit.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2 } });
}, STACK_TIMEOUT_MS);

async function via(url: string, userId: string, options: Partial<ManagerOptions> = {}): Promise<Socket> {
  const socket = io(url, {
    auth: { token: tokenOf(stack, userId) },
    transports: ['polling'],
    withCredentials: true,
    forceNew: true,
    ...options,
  });
  atEnd(() => socket.disconnect());
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject);
  });
  return socket;
}

const transportOf = (socket: Socket) => socket.io.engine.transport.name;

async function upgraded(socket: Socket): Promise<void> {
  if (transportOf(socket) !== 'websocket') await new Promise(resolve => socket.io.engine.once('upgrade', resolve));
}

async function talk(one: Socket, oneId: string, other: Socket, otherId: string): Promise<void> {
  for (const [from, to, recipientId] of [[one, other, otherId] as const, [other, one, oneId] as const]) {
    const received = next(to, 'message:received');
    const message = await send(from, recipientId, `${secret()} 🫂 é`);
    expect(await received).toEqual(message);
  }
}

test('a client that can only poll talks like any other, and is told its errors', async () => {
  const [polling, other] = await Promise.all([via(stack.gateways[0]!, 'p-1'), connected(stack, 'o-1', { gateway: 1 })]);
  await talk(polling, 'p-1', other, 'o-1');
  const error = next(polling, 'error');
  polling.emit('message:send', { recipientId: 'o-1', content: '🫂', messageType: 'GIF' });
  expect(await error).toMatchObject({ code: 'INVALID_PAYLOAD', event: 'message:send' });
  expect(await emit(polling, 'auth:refresh', { token: tokenOf(stack, 'p-1') })).toMatchObject({ ok: true });
  expect(transportOf(polling)).toBe('polling');
});

test('a client that begins with polling goes over to WebSocket under its messages, and loses none', async () => {
  const receiver = await connected(stack, 'o-2', { gateway: 1 });
  const contents: unknown[] = [];
  receiver.on('message:received', ({ content }: { content: unknown }) => contents.push(content));
  const upgrading = await via(stack.gateways[0]!, 'p-2', { transports: ['polling', 'websocket'] });
  const sent = Array.from({ length: 60 }, (_, index) => `${secret()} ${index}`);
  const acks = sent.map(content => send(upgrading, 'o-2', content));
  await Promise.all([...acks, upgraded(upgrading)]);
  const last = next(receiver, 'user:typing');
  await emit(upgrading, 'message:typing', { recipientId: 'o-2', isTyping: true });
  await last;
  expect(contents).toEqual(sent);
  expect(transportOf(upgrading)).toBe('websocket');
});

test('a packet over the limit ends a polling client only', async () => {
  const [large, small] = await Promise.all([via(stack.gateways[0]!, 'p-3'), via(stack.gateways[0]!, 'p-3')]);
  const ended = next<unknown>(large, 'disconnect');
  large.emit('message:send', { recipientId: 'o-1', content: 'x'.repeat(70_000) });
  expect(await ended).toBe('transport error');
  await send(small, 'o-1');
});

test('behind a balancer with affinity polling and upgrading clients of both gateways talk to each other', async () => {
  const proxy = await affinityProxy(stack.gateways);
  const users = ['q-0', 'q-1', 'q-2', 'q-3'];
  const polling = await Promise.all(users.map(user => via(proxy.url, user)));
  await talk(polling[0]!, 'q-0', polling[1]!, 'q-1');
  await talk(polling[2]!, 'q-2', polling[3]!, 'q-3');
  const upgrading = await Promise.all(
    ['s-0', 's-1'].map(user => via(proxy.url, user, { transports: ['polling', 'websocket'] })),
  );
  await Promise.all(upgrading.map(upgraded));
  await talk(upgrading[0]!, 's-0', upgrading[1]!, 's-1');
  await talk(upgrading[0]!, 's-0', polling[0]!, 'q-0');
  expect(proxy.served.filter(count => count === 0)).toEqual([]);
});
