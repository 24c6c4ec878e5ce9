import { env } from 'node:process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { connectBus, requestAsService, type Bus } from '@rapport/bus';
import type { ServiceInput, ServiceRequestName } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import { atEnd, storedFacts, temporaryFolder, until } from '../libs/service/test/kit.ts';
import { mailServer, type MailServer } from '../notification-service/test/mail-server.ts';
import { pushService, webPushEnvironment, type PushService } from '../notification-service/test/push-service.ts';
import { connected, developerOf, emit, next, output, runningStack, secret, send, STACK_TIMEOUT_MS } from './kit.ts';
import { silentObserver } from './silent-observer.ts';

let stack: Stack;
let mail: MailServer;
let push: PushService;
let backOffice: Bus;

beforeAll(async () => {
  [mail, push] = await Promise.all([mailServer(), pushService()]);
  atEnd(() => mail.stop());
  const certificate = join(temporaryFolder(), 'push.pem');
  writeFileSync(certificate, push.certificate);
  // The processes of the stack trust the push service of this test.
  env['NODE_EXTRA_CA_CERTS'] = certificate;
  stack = await runningStack({
    processes: { 'notification-service': 2 },
    env: {
      SMTP_URL: mail.url,
      MAIL_FROM: 'Notifications <no-reply@example.org>',
      PUBLIC_URL: 'https://app.example.org',
      ...webPushEnvironment(),
      DELIVERY_RETRY_FIRST_MS: '100',
    },
  });
  const url = new URL(stack.nats['back-office']);
  backOffice = await connectBus({
    servers: url.host,
    as: 'back-office',
    user: url.username,
    password: url.password,
    requestTimeoutMs: 10_000,
    observer: silentObserver,
  });
  atEnd(() => backOffice.connection.close());
}, STACK_TIMEOUT_MS);

async function ask<N extends ServiceRequestName>(name: N, input: ServiceInput<N>): Promise<Record<string, unknown>> {
  const ack = (await requestAsService(backOffice, name, { actor: { service: 'e2e' }, input })).read();
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}

const create = (userId: string, more: Partial<ServiceInput<'notification.create'>> = {}) =>
  ask('notification.create', {
    userId,
    type: 'NEWS',
    title: secret('title'),
    message: secret('message'),
    data: { about: secret('data') },
    priority: 'normal',
    ...more,
  });

test('a notification reaches every socket of its user with the unread count, and reading it every other', async () => {
  const [phone, laptop] = [await connected(stack, 'alice'), await connected(stack, 'alice')];
  const arriving = [next(phone, 'notification:new'), next(laptop, 'notification:new')];
  const created = await create('alice');
  const arrived = await Promise.all(arriving);
  for (const each of arrived) expect(each).toMatchObject({ ...created, unreadCount: 1 });
  const told = next(laptop, 'notification:updated');
  const ack = await emit(phone, 'notification:read', { notificationId: created['id'] });
  expect(ack).toMatchObject({ ok: true, data: { unreadCount: 0 } });
  expect(await told).toMatchObject({ unreadCount: 0, readIds: [created['id']] });
  expect(await emit(phone, 'notification:list')).toMatchObject({ ok: true, data: { unreadCount: 0 } });
  expect(await emit(phone, 'notification:read-all')).toMatchObject({ ok: true, data: { unreadCount: 0 } });
});

test('a message to somebody who has gone is pushed and mailed without a word of it, and reading it reads the notice', async () => {
  const [carol, bob] = [await connected(stack, 'carol'), await connected(stack, 'bob')];
  const browser = push.subscribe();
  expect((await emit(bob, 'push:subscribe', browser)).ok).toBe(true);
  const email = `${secret('bob')}@example.org`;
  await ask('profile.set', { userId: 'bob', email, name: secret('name') });
  bob.disconnect();
  await until(async () => {
    const [presence] = (await ask('presence.get', { userIds: ['bob'] }))['presences'] as [{ status: string }];
    return presence.status === 'offline';
  });
  const last = [await send(carol, 'bob'), await send(carol, 'bob')].at(-1)!;
  await until(() => push.pushes.length > 0 && mail.mails.length > 0);
  const [pushed, mailed] = [push.pushes[0]!, mail.mails[0]!];
  expect(pushed.payload['title']).toMatch(/^You have (a|2) new messages?$/);
  expect([mailed.to, mailed.headers.get('subject')]).toEqual([
    email,
    expect.stringMatching(/^You have (a|2) new messages?$/),
  ]);
  expect(JSON.stringify([pushed.payload, mailed.raw.replaceAll(email, '')])).not.toMatch(/p1anted|carol/);

  const back = await connected(stack, 'bob');
  const listed = async () => {
    const ack = await emit(back, 'notification:list');
    if (!ack.ok) throw new Error(ack.error.code);
    return ack.data as unknown as {
      unreadCount: number;
      notifications: { type: string; message: string; data: object }[];
    };
  };
  await until(async () => (await listed()).notifications[0]?.message === 'You have 2 new messages.');
  const { notifications, unreadCount } = await listed();
  expect([notifications.length, unreadCount]).toEqual([1, 1]);
  expect(notifications[0]).toMatchObject({ type: 'MESSAGE_RECEIVED', data: { userId: 'carol', count: 2 } });
  const told = next(back, 'notification:updated');
  expect((await emit(back, 'message:read', { messageId: last.id })).ok).toBe(true);
  expect(await told).toMatchObject({ unreadCount: 0 });
});

test('kill -9 of a replica while services notify loses nothing and doubles nothing', async () => {
  const dora = await connected(stack, 'dora');
  const heard = new Set<string>();
  dora.on('notification:new', ({ id }: { id: string }) => heard.add(id));
  const ids = new Set<unknown>();
  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
  const createAll = async (): Promise<void> => {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
      const body = { title: 'A title', message: 'A message', data: {}, idempotencyKey: key };
      for (;;) {
        const created = await create('dora', body).catch(() => undefined);
        if (!created) continue;
        ids.add(created['id']);
        break;
      }
      if (keys.length === 200) stack.programs.get('notification-service-1')!.kill('SIGKILL');
      if (keys.length === 100) stack.programs.get('notification-service-2')!.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: 10 }, createAll));
  expect(ids.size).toBe(300);
  const ack = await emit(dora, 'notification:list', { limit: 1 });
  expect(ack).toMatchObject({ ok: true, data: { unreadCount: 300 } });
  await until(() => heard.size === 300);
  expect(heard).toEqual(ids);
}, 60_000);

test('nothing that was planted is in a line, a fact, an e-mail or a push of the whole run', async () => {
  const facts = await storedFacts(await developerOf(stack));
  expect(facts.filter(({ data }) => 'notificationId' in data).length).toBeGreaterThan(300);
  const silent = [
    ...output(),
    ...facts.map(({ data }) => JSON.stringify(data)),
    ...push.pushes.map(({ payload }) => JSON.stringify(payload)),
    ...mail.mails.map(({ raw, to }) => raw.replaceAll(to, '')),
  ];
  expect(silent.filter(text => text.includes('p1anted'))).toEqual([]);
  // Whoever looks at the keys of a push service sees nothing of them in a log either.
  expect(output().filter(line => line.includes('/push/'))).toEqual([]);
});
