import { beforeAll, expect, test } from '@jest/globals';
import { runningGateway, type GatewayProcess } from '../../gateway/test/gateway-process.ts';
import { atEnd, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import {
  aNotification,
  asService,
  asUser,
  dataOf,
  presenceStandIn,
  replica,
  surroundings,
  type Surroundings,
} from './kit.ts';
import { mailServer, type MailServer } from './mail-server.ts';

let around: Surroundings;
let gateway: GatewayProcess;
let mail: MailServer;

beforeAll(async () => {
  mail = await mailServer();
  atEnd(() => mail.stop());
  around = await surroundings({
    SMTP_URL: mail.url,
    MAIL_FROM: 'no-reply@example.org',
    PUBLIC_URL: 'https://app.example.org',
    ESCALATE_AFTER_SECONDS: '0',
  });
  await presenceStandIn(around, new Map());
  await replica(around);
  gateway = await runningGateway(around.nats);
}, START_TIMEOUT_MS);

/** The link of an e-mail that the user gets, on the gateway of this test. */
async function linkOf(userId: string, type: string): Promise<string> {
  const email = `${userId}@example.org`;
  dataOf(await asService(around, 'profile.set', { userId, email }));
  dataOf(await asService(around, 'notification.create', aNotification(userId, { type })));
  await until(() => mail.mails.some(({ to }) => to === email));
  const letter = mail.mails.find(({ to }) => to === email)!;
  const link = /^<(.*)>$/.exec(letter.headers.get('list-unsubscribe') ?? '')?.[1] ?? '';
  expect(letter.raw.replaceAll('=\r\n', '')).toContain(link);
  return link.replace('https://app.example.org', gateway.url);
}

const post = (url: string, body: string) =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });

const preferencesOf = async (userId: string) =>
  dataOf(await asUser(around, userId, 'notification:preferences', {})).preferences;

test('the mailbox unsubscribes with one click, from e-mails of this kind alone', async () => {
  const link = await linkOf('alice', 'NEWS');
  const answer = await post(link, 'List-Unsubscribe=One-Click');
  expect(answer.status).toBe(200);
  const { types, channels } = await preferencesOf('alice');
  expect(types['NEWS']).toEqual({ email: false });
  expect(channels.email).toBe(true);
});

test('opening the link changes nothing, and its page offers both', async () => {
  const link = await linkOf('bob', 'NEWS');
  const page = await fetch(link);
  const html = await page.text();
  expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([
    200,
    'text/html; charset=utf-8',
    'no-store',
  ]);
  expect([...html.matchAll(/<button name="stop" value="(\w+)">/g)].map(([, value]) => value)).toEqual(['these', 'all']);
  expect(html).not.toMatch(/bob|NEWS/);
  expect((await preferencesOf('bob')).types['NEWS']).toBeUndefined();
});

test('all e-mails can be stopped, those that were asked for too', async () => {
  const link = await linkOf('carol', 'NEWS');
  const preferences = { types: { OTHER: { email: true, webPush: false } } };
  dataOf(await asUser(around, 'carol', 'notification:set-preferences', { preferences }));
  await post(link, 'stop=all');
  const { types, channels } = await preferencesOf('carol');
  expect(channels.email).toBe(false);
  expect(types['OTHER']).toEqual({ email: false, webPush: false });
});

test('a link that is none says so, whatever is sent, and the gateway stays up', async () => {
  const link = await linkOf('dan', 'NEWS');
  for (const path of ['x', `${link.split('/').at(-1)}x`, 'y'.repeat(600), '%00', 'a%2Fb']) {
    const answers = await Promise.all([
      fetch(`${gateway.url}/unsubscribe/${path}`),
      post(`${gateway.url}/unsubscribe/${path}`, 'stop=all'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
  }
  expect((await fetch(`${gateway.url}/unsubscribe/%zz`)).status).toBe(400);
  expect((await post(link, 'x'.repeat(5_000))).status).toBe(400);
  expect((await preferencesOf('dan')).channels.email).toBe(true);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
});

test('neither the gateway nor anybody else logs a link', async () => {
  const link = await linkOf('erin', 'NEWS');
  await fetch(link);
  const token = link.split('/').at(-1)!.split('.')[1]!;
  expect(gateway.child.lines.length).toBeGreaterThan(0);
  expect(gateway.child.lines.filter(line => line.includes(token))).toEqual([]);
});
