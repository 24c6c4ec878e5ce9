import { setDefaultCACertificates, getCACertificates } from 'node:tls';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { publish } from '@rapport/bus';
import type { UserInput } from '@rapport/contracts';
import { v7 as uuidv7 } from 'uuid';
import { runChild } from '../../libs/service/test/child.ts';
import { atEnd, busAs, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { expectToEndWell } from '../../libs/service/test/service-process.ts';
import {
  aNotification,
  asService,
  asUser,
  dataOf,
  presenceStandIn,
  replica,
  surroundings,
  type Replica,
  type Surroundings,
} from './kit.ts';
import { mailServer, type Judge, type MailServer } from './mail-server.ts';
import { pushService, webPushEnvironment, type PushService } from './push-service.ts';

let around: Surroundings;
let push: PushService;
let mail: MailServer;
const replicas: Replica[] = [];
let judge: Judge = () => undefined;

const vapid = webPushEnvironment();

beforeAll(async () => {
  [push, mail] = await Promise.all([pushService(), mailServer(each => judge(each))]);
  atEnd(() => mail.stop());
  setDefaultCACertificates([...getCACertificates('default'), push.certificate]);
  around = await surroundings({
    SMTP_URL: mail.url,
    MAIL_FROM: 'Notifications <no-reply@example.org>',
    PUBLIC_URL: 'https://app.example.org',
    ...vapid,
    ESCALATE_AFTER_SECONDS: '0',
    DELIVERY_RETRY_FIRST_MS: '50',
  });
  await presenceStandIn(around, new Map());
  replicas.push(await replica(around), await replica(around));
}, START_TIMEOUT_MS);

beforeEach(() => {
  judge = () => undefined;
});

const mailsTo = (address: string) => mail.mails.filter(({ to }) => to === address);
const pushesTo = ({ endpoint }: { endpoint: string }) => push.pushes.filter(each => each.endpoint === endpoint);

async function subscribed(userId: string): Promise<UserInput<'push:subscribe'>> {
  const browser = push.subscribe();
  dataOf(await asUser(around, userId, 'push:subscribe', browser));
  return browser;
}

async function withEmail(userId: string): Promise<string> {
  const email = `${userId}@p1anted.example`;
  dataOf(await asService(around, 'profile.set', { userId, email, name: `${userId}-p1anted` }));
  return email;
}

const create = async (userId: string, more: Parameters<typeof aNotification>[1] = {}) =>
  dataOf(
    await asService(
      around,
      'notification.create',
      aNotification(userId, { title: 'p1anted', message: 'p1anted', ...more }),
    ),
  );

const statesOf = async (notificationId: string): Promise<string[]> => {
  const { rows } = await around.pool.query<{ state: string }>(
    'select state from delivery where notification_id = $1 order by channel, state',
    [notificationId],
  );
  return rows.map(({ state }) => state);
};

test('every browser gets a push and the mailbox an e-mail, once each, and neither says what is new', async () => {
  const [one, other, email] = [await subscribed('alice'), await subscribed('alice'), await withEmail('alice')];
  const { id } = await create('alice');
  await until(async () => (await statesOf(id)).every(state => state === 'sent'));
  expect(await statesOf(id)).toEqual(['sent', 'sent', 'sent']);
  for (const browser of [one, other]) {
    expect(pushesTo(browser)).toHaveLength(1);
    const [{ payload, headers } = { payload: {}, headers: {} }] = pushesTo(browser);
    expect(payload).toEqual({ id, tag: id, title: 'You have a new notification' });
    expect(headers).toMatchObject({ ttl: '86400', urgency: 'normal', topic: id.replaceAll('-', '') });
    expect(headers.authorization).toMatch(new RegExp(`^vapid t=[\\w.-]+, k=${vapid['VAPID_PUBLIC_KEY']}$`));
  }
  const [letter, ...more] = mailsTo(email);
  expect(more).toEqual([]);
  expect(letter?.headers.get('subject')).toBe('You have a new notification');
  expect(letter?.headers.get('from')).toBe('Notifications <no-reply@example.org>');
  expect(letter?.headers.get('content-type')).toMatch(/^multipart\/alternative/);
  expect(letter?.headers.get('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
  expect(letter?.headers.get('list-unsubscribe')).toMatch(/^<https:\/\/app\.example\.org\/unsubscribe\/test\.[\w-]+>$/);
  // Only whom it is for may know the address, and the name is nowhere.
  expect(letter?.raw.replaceAll(email, '')).not.toContain('p1anted');
});

test('a critical one is urgent for the push service', async () => {
  const browser = await subscribed('bob');
  await create('bob', { priority: 'critical' });
  await until(() => pushesTo(browser).length === 1);
  expect(pushesTo(browser)[0]?.headers['urgency']).toBe('high');
});

test.each([404, 410])('a browser whose push service says %i is forgotten', async status => {
  const browser = await subscribed(`carol-${status}`);
  push.answer(browser.endpoint, status);
  const { id } = await create(`carol-${status}`);
  await until(async () => (await statesOf(id)).includes('cancelled'));
  const { rows } = await around.pool.query('select from push_subscription where user_id = $1', [`carol-${status}`]);
  expect(rows).toEqual([]);
});

test('a push that fails comes again, one that is refused is a dead letter', async () => {
  const [failing, refusing] = [await subscribed('dan'), await subscribed('dana')];
  push.answer(failing.endpoint, 500, 429);
  push.answer(refusing.endpoint, 413);
  const [one, other] = [await create('dan'), await create('dana')];
  await until(() => pushesTo(failing).length === 1);
  await until(async () => (await statesOf(other.id)).includes('dead'));
  await until(async () => (await statesOf(one.id)).includes('sent'));
  const { rows } = await around.pool.query(
    'select state, attempts, last_error from delivery where notification_id = any($1) order by attempts',
    [[one.id, other.id]],
  );
  expect(rows).toEqual([
    { state: 'dead', attempts: 1, last_error: 'http_413' },
    { state: 'sent', attempts: 3, last_error: null },
  ]);
});

test('a message that comes while a push of the one before it is under way is pushed too', async () => {
  const browser = await subscribed('dora');
  const messaging = await busAs(around.nats, 'messaging-service');
  const message = (seq: number) => {
    const data = {
      messageId: uuidv7(),
      conversationId: 'c-dora',
      senderId: 'sender',
      recipientId: 'dora',
      seq,
      version: seq,
    };
    const createdAt = new Date();
    const more = { messageType: 'TEXT', createdAt: createdAt.toISOString() } as const;
    return publish(messaging, 'message.sent', { id: uuidv7(), time: createdAt, data: { ...data, ...more } });
  };
  const release = push.hold(browser.endpoint);
  await message(1);
  await until(() => pushesTo(browser).length > 0);
  await message(2);
  const grown = async () =>
    (await around.pool.query(`select from notification where user_id = 'dora' and seqs = '{1,2}'`)).rowCount === 1;
  await until(grown);
  release();
  await until(async () => {
    // A minute later, which is now.
    await around.pool.query(
      `update delivery set next_attempt_at = now() from notification n
        where n.id = notification_id and n.user_id = 'dora' and state = 'pending' and lease_id is null`,
    );
    return pushesTo(browser).at(-1)?.payload['title'] === 'You have 2 new messages';
  });
  expect(pushesTo(browser)[0]?.payload['title']).toBe('You have a new message');
});

test('a browser that somebody else signs in to shows the notifications of the one before no more', async () => {
  const browser = await subscribed('erin');
  dataOf(await asUser(around, 'frank', 'push:subscribe', browser));
  const [erins, franks] = [await create('erin'), await create('frank')];
  await until(() => pushesTo(browser).length === 1);
  expect(pushesTo(browser)[0]?.payload['id']).toBe(franks.id);
  expect(await statesOf(erins.id)).toEqual([]);
  dataOf(await asUser(around, 'frank', 'push:unsubscribe', { endpoint: browser.endpoint }));
  const last = await create('frank');
  expect(await statesOf(last.id)).toEqual([]);
});

test('an endpoint inside the network, and keys that are none, are refused', async () => {
  const { keys } = push.subscribe();
  for (const [input, path] of [
    [{ endpoint: 'https://10.0.0.1/x', keys }, 'endpoint'],
    [{ endpoint: 'https://push.example/x', keys: { ...keys, p256dh: `B${'A'.repeat(86)}` } }, 'keys.p256dh'],
  ] as const) {
    expect(await asUser(around, 'gina', 'push:subscribe', input)).toMatchObject({
      ok: false,
      error: { code: 'INVALID_PAYLOAD', details: [{ path }] },
    });
  }
});

/** Quiet hours in which it is now, whatever the time of day. */
function quietHoursNow() {
  const wall = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString().slice(11, 16);
  return { start: wall(-60), end: wall(60), timeZone: 'UTC' };
}

/** Resolves when the only delivery of each is put off, and nobody is at work on it. */
const putOff = (ids: readonly string[]) =>
  until(async () => {
    const { rowCount } = await around.pool.query(
      `select from delivery where notification_id = any($1) and state = 'pending' and lease_id is null
                              and next_attempt_at > now() + interval '1 minute'`,
      [ids],
    );
    return rowCount === ids.length;
  });

test('what is read before it goes out stays here', async () => {
  const email = await withEmail('hugo');
  dataOf(
    await asUser(around, 'hugo', 'notification:set-preferences', { preferences: { quietHours: quietHoursNow() } }),
  );
  const [read, archived, kept] = [await create('hugo'), await create('hugo'), await create('hugo')];
  await putOff([read.id, archived.id, kept.id]);
  dataOf(await asUser(around, 'hugo', 'notification:read', { notificationId: read.id }));
  dataOf(await asUser(around, 'hugo', 'notification:archive', { notificationId: archived.id }));
  expect([await statesOf(read.id), await statesOf(archived.id)]).toEqual([['cancelled'], ['cancelled']]);
  // At the end of the quiet hours, which is now.
  dataOf(await asUser(around, 'hugo', 'notification:set-preferences', { preferences: { quietHours: null } }));
  await around.pool.query('update delivery set next_attempt_at = now() where notification_id = $1', [kept.id]);
  await until(async () => (await statesOf(kept.id)).includes('sent'));
  expect(mailsTo(email)).toHaveLength(1);
});

test('reading all reads what is listed, not what is to be mailed alone', async () => {
  await withEmail('hanna');
  const preferences = { types: { MAILED: { inApp: false } }, quietHours: quietHoursNow() };
  dataOf(await asUser(around, 'hanna', 'notification:set-preferences', { preferences }));
  const [listed, mailed] = [await create('hanna'), await create('hanna', { type: 'MAILED' })];
  await putOff([listed.id, mailed.id]);
  dataOf(await asUser(around, 'hanna', 'notification:read-all', {}));
  expect([await statesOf(listed.id), await statesOf(mailed.id)]).toEqual([['cancelled'], ['pending']]);
});

test('quiet hours put an e-mail off to their end, and a critical one goes through', async () => {
  const email = await withEmail('ivan');
  dataOf(
    await asUser(around, 'ivan', 'notification:set-preferences', { preferences: { quietHours: quietHoursNow() } }),
  );
  const quiet = await create('ivan');
  const critical = await create('ivan', { priority: 'critical' });
  await until(async () => (await statesOf(critical.id)).includes('sent'));
  expect(mailsTo(email)).toHaveLength(1);
  const due = async () => {
    const { rows } = await around.pool.query<{ state: string; minutes: number; attempts: number }>(
      `select state, attempts, round(extract(epoch from next_attempt_at - now()) / 60)::int as minutes
         from delivery where notification_id = $1`,
      [quiet.id],
    );
    return rows[0];
  };
  await until(async () => ((await due())?.minutes ?? 0) > 0);
  expect(await due()).toMatchObject({ state: 'pending', attempts: 0, minutes: expect.any(Number) });
  expect(Math.abs(((await due())?.minutes ?? 0) - 60)).toBeLessThanOrEqual(1);
});

test('an e-mail that the server refuses for now comes again, one that it refuses for good is a dead letter', async () => {
  const [later, never] = [await withEmail('judy'), await withEmail('kim')];
  let refusals = 2;
  judge = ({ to }) => {
    if (to === never) return { responseCode: 550 };
    if (to === later && refusals > 0) {
      refusals -= 1;
      return { responseCode: 451 };
    }
    return undefined;
  };
  const [one, other] = [await create('judy'), await create('kim')];
  await until(async () => (await statesOf(one.id)).includes('sent'));
  await until(async () => (await statesOf(other.id)).includes('dead'));
  expect([mailsTo(later).length, mailsTo(never).length]).toEqual([1, 0]);
});

test('operations list what was given up, without an address, and have it tried again', async () => {
  const email = await withEmail('leo');
  judge = () => ({ responseCode: 554 });
  const { id } = await create('leo');
  await until(async () => (await statesOf(id)).includes('dead'));
  judge = () => undefined;
  const environment = { ...around.environment, NATS_URL: around.nats.server };
  const listing = runChild('notification-service/src/deliveries.ts', environment, ['list']);
  await expectToEndWell(listing);
  const dead = listing.lines
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .find(line => line['notificationId'] === id);
  expect(dead).toMatchObject({ channel: 'email', attempts: 1, lastError: 'smtp_554' });
  expect(listing.lines.filter(line => line.includes('p1anted'))).toEqual([]);

  await expectToEndWell(
    runChild('notification-service/src/deliveries.ts', environment, ['retry', '--id', String(dead?.['id'])]),
  );
  await until(async () => (await statesOf(id)).includes('sent'));
  expect(mailsTo(email)).toHaveLength(1);
});

const MANY = 200;

test('hundreds of e-mails through a server that fails a fifth of them and is cut off: each arrives, none twice', async () => {
  const users = Array.from({ length: MANY }, (_, index) => `many-${index}`);
  const emails = await Promise.all(users.map(withEmail));
  let counted = 0;
  judge = () => {
    counted += 1;
    if (counted % 10 === 3) return 'drop';
    if (counted % 10 === 7) return { responseCode: 450 };
    return undefined;
  };
  await Promise.all(users.map(userId => create(userId)));
  await until(() => mail.mails.filter(({ to }) => to.startsWith('many-')).length > MANY / 4);
  // A connection that breaks in the middle is that e-mail's failure: the channel goes on.
  const outages = () => replicas.flatMap(({ lines }) => lines.filter(line => line.includes('the channel is out')));
  expect(outages()).toEqual([]);
  await mail.cutOff();
  await until(async () => {
    const { rows } = await around.pool.query(
      `select from delivery where last_error in ('ESOCKET', 'ECONNECTION', 'ECONNREFUSED')`,
    );
    return rows.length > 0;
  });
  await until(() => outages().length > 0);
  await mail.comeBack();
  await until(async () => {
    const { rows } = await around.pool.query(
      `select from delivery where state = 'pending' and channel = 'email' and next_attempt_at < now() + interval '30 seconds'`,
    );
    return rows.length === 0;
  });
  const arrived = mail.mails.map(({ to }) => to).filter(to => to.startsWith('many-'));
  expect(new Set(arrived)).toEqual(new Set(emails));
  expect(arrived).toHaveLength(MANY);
}, 60_000);

test('nothing that was written, no name and no address is in any line of the log', () => {
  const lines = replicas.flatMap(each => each.lines);
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.filter(line => line.includes('p1anted'))).toEqual([]);
});
