import { beforeAll, expect, test } from '@jest/globals';
import { requestAsService } from '@rapport/bus';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { backOfficeOf, clientOf, connected, emit, next, runningStack, send, STACK_TIMEOUT_MS } from './kit.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ env: { MAX_HANDSHAKES_PER_SECOND: '0' } });
}, STACK_TIMEOUT_MS);

/**
 * What a new socket of the user is told, and the socket. One of which a count is left out is tried again: on a busy
 * machine an answer may come too late.
 */
async function readyOf(userId: string, counts = ['unreadMessages']): Promise<[Record<string, unknown>, Socket]> {
  for (;;) {
    const socket = clientOf(stack, userId);
    const ready = next(socket, 'session:ready');
    socket.connect();
    const told = await ready;
    if (counts.every(name => name in told)) return [told, socket];
    socket.disconnect();
  }
}

test('who connects is told how many messages wait, in all conversations together, and what comes later as an event', async () => {
  const [alice, carol] = await Promise.all([connected(stack, 'alice'), connected(stack, 'carol')]);
  await send(alice, 'bob');
  const second = await send(alice, 'bob');
  await send(carol, 'bob');
  const [ready, bob] = await readyOf('bob');
  expect(ready).toMatchObject({ unreadMessages: 3 });

  await emit(bob, 'message:read', { messageId: second.id });
  expect((await readyOf('bob'))[0]).toMatchObject({ unreadMessages: 1 });
});

test('who connects is told how many notifications wait', async () => {
  const backOffice = await backOfficeOf(stack);
  const actor = { service: 'crm' };
  for (const title of ['One', 'Two']) {
    const input = { userId: 'erin', type: 'NEWS', title, message: 'A message', priority: 'normal' } as const;
    await requestAsService(backOffice, 'notification.create', { actor, input });
  }
  const [ready, erin] = await readyOf('erin', ['unreadMessages', 'unreadNotifications']);
  expect(ready).toMatchObject({ unreadMessages: 0, unreadNotifications: 2 });
  await emit(erin, 'notification:read-all');
  expect((await readyOf('erin', ['unreadNotifications']))[0]).toMatchObject({ unreadNotifications: 0 });
});

test('hundreds who connect at one moment are each told their own counts', async () => {
  const alice = await connected(stack, 'alice');
  const users = Array.from({ length: 300 }, (_, index) => `many-${index}`);
  await Promise.all(users.filter((_, index) => index % 3 === 0).map(user => send(alice, user)));
  const told = await Promise.all(users.map(user => readyOf(user)));
  expect(told.map(([ready]) => ready['unreadMessages'])).toEqual(users.map((_, index) => (index % 3 === 0 ? 1 : 0)));
});

test('a service that is gone keeps nobody out: its count is left out, and is there again when it is back', async () => {
  const service = stack.programs.get('notification-service')!;
  service.kill('SIGKILL');
  await until(() => service.pid === undefined);
  const [ready] = await readyOf('dave');
  expect(ready).toMatchObject({ unreadMessages: 0 });
  expect(ready).not.toHaveProperty('unreadNotifications');
  await service.ready();
  await until(async () => (await readyOf('dave'))[0]['unreadNotifications'] === 0);
});
