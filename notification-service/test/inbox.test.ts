import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { listen, requestAsGateway } from '@rapport/bus';
import type { DeliveryPayload, Notification } from '@rapport/contracts';
import { atEnd, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { aNotification, asService, asUser, dataOf, replica, surroundings, upTo, type Surroundings } from './kit.ts';

let around: Surroundings;

beforeAll(async () => {
  around = await surroundings();
  await replica(around);
  await replica(around);
}, START_TIMEOUT_MS);

const create = async (userId: string, more: Parameters<typeof aNotification>[1] = {}): Promise<Notification> =>
  dataOf(await asService(around, 'notification.create', aNotification(userId, more)));

const list = async (userId: string, input: { cursor?: string; limit?: number; unreadOnly?: boolean } = {}) =>
  dataOf(await asUser(around, userId, 'notification:list', { limit: 50, unreadOnly: false, ...input }));

type Told =
  | { event: 'notification:new'; payload: DeliveryPayload<'notification:new'> }
  | { event: 'notification:updated'; payload: DeliveryPayload<'notification:updated'> };

/** What the user's sockets are told from now on. */
async function socketsOf(userId: string): Promise<Told[]> {
  const told: Told[] = [];
  const listening = listen(around.gateway, { user: userId }, ({ event, text }) =>
    told.push({ event, payload: JSON.parse(text) } as Told),
  );
  atEnd(() => listening.stop());
  await listening.established();
  return told;
}

/** Without the counts alone: they come again, at any time, when one replica finds that another has overtaken it. */
const changesIn = (told: readonly Told[]): Told[] =>
  told.filter(({ payload }) => ['id', 'readIds', 'archivedIds', 'allRead'].some(name => name in payload));

test('a notification is stored, told with the unread count, and listed', async () => {
  const told = await socketsOf('alice');
  const notification = await create('alice', { title: 'A title', message: 'A message', data: { a: [1, { b: null }] } });
  expect(notification).toMatchObject({
    type: 'NEWS',
    title: 'A title',
    priority: 'normal',
    data: { a: [1, { b: null }] },
  });
  await until(() => told.length === 1);
  expect(told).toEqual([{ event: 'notification:new', payload: { ...notification, unreadCount: 1, version: 1 } }]);
  expect(await list('alice')).toEqual({ notifications: [notification], unreadCount: 1, version: 1 });
});

test('what others wrote is not readable in the database', async () => {
  await create('bob', { title: 'p1anted', message: 'p1anted', data: { p1anted: 'p1anted' } });
  const { rows } = await around.pool.query('select n::text, encode(n.sealed, $1) from notification n', ['escape']);
  expect(rows.length).toBeGreaterThan(0);
  expect(JSON.stringify(rows)).not.toContain('p1anted');
});

test('reading one, archiving one and reading all is told to every socket, with the ids', async () => {
  const [one, two, three] = [await create('carol'), await create('carol'), await create('carol')];
  const told = await socketsOf('carol');
  const read = dataOf(await asUser(around, 'carol', 'notification:read', { notificationId: one.id }));
  expect(read.unreadCount).toBe(2);
  const archived = dataOf(await asUser(around, 'carol', 'notification:archive', { notificationId: two.id }));
  expect(archived.unreadCount).toBe(1);
  const all = dataOf(await asUser(around, 'carol', 'notification:read-all', {}));
  expect(all.unreadCount).toBe(0);
  await until(() => changesIn(told).length === 3);
  expect(changesIn(told).map(({ payload }) => payload)).toEqual([
    { ...read, readIds: [one.id] },
    { ...archived, archivedIds: [two.id] },
    { ...all, allRead: true },
  ]);
  const { notifications, unreadCount } = await list('carol');
  expect(notifications.map(({ id, readAt }) => [id, readAt !== undefined])).toEqual([
    [three.id, true],
    [one.id, true],
  ]);
  expect(unreadCount).toBe(0);
});

test('reading what is read already changes nothing and tells nobody', async () => {
  const { id } = await create('dan');
  await asUser(around, 'dan', 'notification:read', { notificationId: id });
  const told = await socketsOf('dan');
  expect(dataOf(await asUser(around, 'dan', 'notification:read', { notificationId: id })).unreadCount).toBe(0);
  expect(dataOf(await asUser(around, 'dan', 'notification:read-all', {})).unreadCount).toBe(0);
  const last = await create('dan');
  await until(() => changesIn(told).length > 0);
  expect(changesIn(told).map(({ event, payload }) => ('id' in payload ? [event, payload.id] : event))).toEqual([
    ['notification:new', last.id],
  ]);
});

test.each(['notification:read', 'notification:archive'] as const)(
  '%s of what is not there, or is of somebody else, is NOT_FOUND in the same words',
  async event => {
    const owner = `erin-${event.replace(':', '-')}`;
    const { id } = await create(owner);
    const foreign = await asUser(around, 'mallory', event, { notificationId: id });
    const missing = await asUser(around, 'mallory', event, { notificationId: '0190a000-0000-7000-8000-000000000000' });
    const strange = await asUser(around, 'mallory', event, { notificationId: 'notification-uuid' });
    expect(foreign).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    expect([missing, strange]).toEqual([foreign, foreign]);
    expect((await list(owner)).unreadCount).toBe(1);
  },
);

test('pages are newest first, without a gap or a repeat, whatever comes in meanwhile', async () => {
  const made: string[] = [];
  for (const _ of upTo(25)) made.push((await create('frank')).id);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await list('frank', { limit: 10, ...(cursor !== undefined && { cursor }) });
    seen.push(...page.notifications.map(({ id }) => id));
    cursor = page.nextCursor;
    await create('frank');
  } while (cursor !== undefined);
  expect(seen).toEqual(made.toReversed());
});

test('a page of the largest notifications is cut by bytes and goes on with its cursor', async () => {
  const large = {
    title: '\u{1f9e0}'.repeat(100),
    message: '\u0001'.repeat(2_000),
    data: { text: '\u00e9'.repeat(1_900) },
  };
  const made = await Promise.all(upTo(80).map(() => create('grace', large)));
  const first = await list('grace', { limit: 200 });
  expect(first.notifications.length).toBeLessThan(80);
  const second = await list('grace', { limit: 200, cursor: first.nextCursor! });
  const ids = [...first.notifications, ...second.notifications].map(({ id }) => id);
  expect(new Set(ids)).toEqual(new Set(made.map(({ id }) => id)));
  expect(ids).toHaveLength(80);
});

test('a cursor that is none is refused', async () => {
  const ack = await asUser(around, 'alice', 'notification:list', { cursor: 'x', limit: 10, unreadOnly: false });
  expect(ack).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD', details: [{ path: 'cursor' }] } });
});

test('over two replicas at once, the unread count of the highest version is the one in the database', async () => {
  const told = await socketsOf('heidi');
  const made = await Promise.all(upTo(60).map(() => create('heidi')));
  await Promise.all(
    made
      .slice(0, 20)
      .map(({ id }) => asUser(around, 'heidi', 'notification:read', { notificationId: id }))
      .concat(
        made.slice(20, 25).map(({ id }) => asUser(around, 'heidi', 'notification:archive', { notificationId: id })),
      ),
  );
  const { unreadCount, version } = await list('heidi');
  expect(unreadCount).toBe(35);
  await until(() => told.some(({ payload }) => payload.version === version));
  // Whatever crossed on its way, the last that is heard is right.
  await until(() => told.at(-1)?.payload.unreadCount === 35);
  const news = told.filter(({ event }) => event === 'notification:new');
  expect(new Set(news.map(({ payload }) => 'id' in payload && payload.id)).size).toBe(60);
  expect(news).toHaveLength(60);
  const versions = news.map(({ payload }) => payload.version);
  expect(new Set(versions).size).toBe(60);
});

test('the unread counts of many users come in one answer', async () => {
  await create('ivan');
  const input = { userIds: ['ivan', 'nobody', 'ivan'] };
  const reply = await requestAsGateway(around.gateway, 'notification.unread-counts', {
    actor: { gateway: randomUUID() },
    input,
  });
  expect(dataOf(reply.read())).toEqual({ counts: [1, 0, 1] });
});

test('what expires is counted and listed no more, and that is told', async () => {
  const told = await socketsOf('judy');
  const { id } = await create('judy', { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
  const kept = await create('judy');
  expect((await list('judy')).unreadCount).toBe(2);
  await around.pool.query('update notification set expires_at = now() where id = $1', [id]);
  await until(() => changesIn(told).length === 3);
  expect(changesIn(told).at(-1)).toMatchObject({
    event: 'notification:updated',
    payload: { unreadCount: 1, archivedIds: [id] },
  });
  expect((await list('judy')).notifications.map(notification => notification.id)).toEqual([kept.id]);
});

test('what is older than the retention leaves the inbox, read or not', async () => {
  const { id } = await create('kim');
  await around.pool.query(`update notification set touched_at = now() - interval '91 days' where id = $1`, [id]);
  await until(async () => (await list('kim')).notifications.length === 0);
  expect((await list('kim')).unreadCount).toBe(0);
});
