import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Bus } from '@rapport/bus';
import type { Presence } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import { until } from '../libs/service/test/kit.ts';
import { clientOf, connected, developerOf, emit, STACK_TIMEOUT_MS } from './kit.ts';
import {
  arrived,
  ask,
  GRACE_MS,
  news,
  presencesOf,
  presenceStack,
  show,
  statusesOf,
  storyOf,
  watcher,
  type Link,
  type Watcher,
} from './presence-kit.ts';

let stack: Stack;
let backOffice: Bus;
let link: Link;

beforeAll(async () => {
  ({ stack, backOffice, link } = await presenceStack());
}, STACK_TIMEOUT_MS);

const linkAll = (clients: readonly string[], therapist: string) =>
  Promise.all(clients.map(client => link(client, therapist)));

describe('who comes and goes', () => {
  test('is announced to those linked who are there, once to each, and to nobody else', async () => {
    await linkAll(['a-ann', 'a-absent'], 'a-doc');
    await link('a-ann', 'a-away-doc');
    const deliveries: string[] = [];
    const developer = await developerOf(stack);
    developer.connection.subscribe('deliver.v1.*.*.user.*', {
      callback: (_, { subject }) => void deliveries.push(subject),
    });
    await developer.connection.flush();
    const doc = await watcher(stack, 'a-doc', { gateway: 0 });
    const stranger = await watcher(stack, 'a-stranger', { gateway: 1 });

    const online = news(doc.socket, 'user:online', 'a-ann');
    const ann = await watcher(stack, 'a-ann', { gateway: 1 });
    expect(await online).toEqual({ userId: 'a-ann' });
    const from = Date.now();
    const offline = news(doc.socket, 'user:offline', 'a-ann');
    ann.socket.disconnect();
    const { lastSeenAt } = await offline;
    // When the session ended, and not when its grace did.
    expect(Math.abs(Date.parse(String(lastSeenAt)) - from)).toBeLessThan(GRACE_MS);
    expect(await presencesOf(doc.socket, ['a-ann'])).toEqual([{ userId: 'a-ann', status: 'offline', lastSeenAt }]);

    expect(storyOf(doc.told, 'a-ann')).toEqual(['online', 'offline']);
    expect(ann.told).toEqual([['presence:state', { presences: [expect.objectContaining({ userId: 'a-doc' })] }]]);
    await statusesOf(stranger.socket, []);
    expect(stranger.told).toEqual([['presence:state', { presences: [] }]]);
    const own = () => deliveries.filter(subject => subject.includes('.a-')).toSorted();
    await until(() => own().length === 2);
    expect(own()).toEqual(['deliver.v1.user.a-doc.user.offline', 'deliver.v1.user.a-doc.user.online']);
  });

  test('within the grace makes no blink, on whichever gateway', async () => {
    await linkAll(['b-ann', 'b-ben'], 'b-doc');
    const doc = await watcher(stack, 'b-doc');
    const [ann, ben] = await Promise.all([watcher(stack, 'b-ann'), watcher(stack, 'b-ben')]);

    const gone = news(doc.socket, 'user:offline', 'b-ben');
    ann.socket.disconnect();
    ben.socket.disconnect();
    await watcher(stack, 'b-ann', { gateway: 1 });
    await gone;

    expect(storyOf(doc.told, 'b-ann')).toEqual(['online']);
  });

  test('is gone with the last of several devices, and the one that is most present is shown', async () => {
    await link('c-ann', 'c-doc');
    const doc = await watcher(stack, 'c-doc');
    const [phone, laptop] = [await watcher(stack, 'c-ann'), await watcher(stack, 'c-ann', { gateway: 1 })];

    await show(phone.socket, 'away');
    expect(await statusesOf(doc.socket, ['c-ann'])).toEqual(['online']);
    const away = news(doc.socket, 'user:presence', 'c-ann');
    await show(laptop.socket, 'away');
    expect(await away).toEqual({ userId: 'c-ann', status: 'away' });
    await show(laptop.socket, 'online');
    laptop.socket.disconnect();
    await until(() => storyOf(doc.told, 'c-ann').length === 4);
    const gone = news(doc.socket, 'user:offline', 'c-ann');
    phone.socket.disconnect();
    await gone;

    expect(storyOf(doc.told, 'c-ann')).toEqual(['online', 'away', 'online', 'away', 'offline']);
    expect(phone.told).toHaveLength(1);
  });

  test('without wanting to be disturbed says so on every device, until one of them takes it back', async () => {
    await link('d-ann', 'd-doc');
    const doc = await watcher(stack, 'd-doc');
    const [phone, laptop] = [await watcher(stack, 'd-ann'), await watcher(stack, 'd-ann', { gateway: 1 })];

    await show(phone.socket, 'dnd');
    await show(phone.socket, 'dnd');
    phone.socket.disconnect();
    const gone = news(doc.socket, 'user:offline', 'd-ann');
    laptop.socket.disconnect();
    await gone;
    const back = news(doc.socket, 'user:presence', 'd-ann');
    await arrived(laptop.socket);
    expect(await back).toEqual({ userId: 'd-ann', status: 'dnd' });
    const taken = news(doc.socket, 'user:presence', 'd-ann');
    await show(laptop.socket, 'online');
    expect(await taken).toEqual({ userId: 'd-ann', status: 'online' });

    expect(storyOf(doc.told, 'd-ann')).toEqual(['online', 'dnd', 'offline', 'online', 'dnd', 'online']);
  });

  test('in a crowd is announced once each, whichever replica does it', async () => {
    const crowd = Array.from({ length: 40 }, (_, index) => `e-${index}`);
    await linkAll(crowd, 'e-doc');
    const doc = await watcher(stack, 'e-doc');
    const people = await Promise.all(crowd.map((user, index) => watcher(stack, user, { gateway: index % 2 })));

    const gone = Promise.all(crowd.map(user => news(doc.socket, 'user:offline', user)));
    for (const { socket } of people) socket.disconnect();
    await gone;
    await statusesOf(doc.socket, []);

    expect(crowd.map(user => storyOf(doc.told, user))).toEqual(crowd.map(() => ['online', 'offline']));
  });
});

describe('presence:state', () => {
  test('has the contacts who are not offline, once, for each socket', async () => {
    await linkAll(['f-on', 'f-away', 'f-dnd', 'f-off'], 'f-doc');
    const [, away, dnd] = await Promise.all(
      ['f-on', 'f-away', 'f-dnd', 'f-not-mine'].map(user => watcher(stack, user)),
    );
    await show(away!.socket, 'away');
    await show(dnd!.socket, 'dnd');

    const first = await watcher(stack, 'f-doc');
    const second = await watcher(stack, 'f-doc', { gateway: 1 });
    const third = await watcher(stack, 'f-doc');

    for (const { told } of [first, second, third]) {
      expect(told).toHaveLength(1);
      const [[event, { presences }]] = told as [[string, { presences: Presence[] }]];
      expect(event).toBe('presence:state');
      expect(presences.map(({ userId, status }) => `${userId} ${status}`).toSorted()).toEqual([
        'f-away away',
        'f-dnd dnd',
        'f-on online',
      ]);
    }
  });

  test('and the events after it give what presence:get says, while everybody changes under it', async () => {
    const contacts = Array.from({ length: 8 }, (_, index) => `g-${index}`);
    await linkAll(contacts, 'g-doc');
    const changing = await Promise.all(contacts.map((user, index) => watcher(stack, user, { gateway: index % 2 })));
    let goesOn = true;
    const flicker = changing.map(async ({ socket }, index) => {
      for (let turn = index; goesOn; turn += 1) await show(socket, turn % 2 ? 'away' : 'online');
      socket.disconnect();
      await arrived(socket);
    });
    const docs: Watcher[] = [];
    for (let count = 0; count < 12; count += 1) docs.push(await watcher(stack, 'g-doc', { gateway: count % 2 }));
    goesOn = false;
    await Promise.all(flicker);

    const truth = await statusesOf(docs[0]!.socket, contacts);
    const views = () => docs.map(({ told }) => contacts.map(user => viewOf(told, user)));
    const expected = docs.map(() => truth);
    await until(() => isDeepStrictEqual(views(), expected));
    expect(truth).not.toContain('offline');
  });
});

describe('presence:get', () => {
  test('shows nobody whom one may not see, and does not tell them from nobody', async () => {
    await link('h-ann', 'h-doc');
    const [ann, doc] = [await watcher(stack, 'h-ann'), await watcher(stack, 'h-doc')];
    await watcher(stack, 'h-other');
    const userIds = ['h-doc', 'h-other', 'h-nobody', 'h-ann', 'h-doc'];

    const seen = await presencesOf(ann.socket, userIds);
    expect(seen.map(({ userId, status }) => [userId, status])).toEqual([
      ['h-doc', 'online'],
      ['h-other', 'offline'],
      ['h-nobody', 'offline'],
      ['h-ann', 'online'],
      ['h-doc', 'online'],
    ]);
    expect(seen[1]).toEqual({ ...seen[2], userId: 'h-other' });
    expect(seen[2]).toEqual({ userId: 'h-nobody', status: 'offline', lastSeenAt: null });
    expect(await presencesOf(doc.socket, [])).toEqual([]);
  });

  test('takes 200 users at most, and a status that there is', async () => {
    const { socket } = await watcher(stack, 'i-ann');
    const many = Array.from({ length: 201 }, (_, index) => `i-${index}`);
    expect(await presencesOf(socket, many.slice(1))).toHaveLength(200);
    const refused = { ok: false, error: { code: 'INVALID_PAYLOAD' } };
    for (const [event, input] of [
      ['presence:get', { userIds: many }],
      ['presence:get', { userIds: ['a.>'] }],
      ['presence:get', {}],
      ['presence:set', { status: 'offline' }],
      ['presence:set', undefined],
    ] as const) {
      expect(await emit(socket, event, input)).toMatchObject(refused);
    }
  });

  test('tells a service of anybody, and on behalf of a user what that user may see', async () => {
    await link('j-ann', 'j-doc');
    await Promise.all([watcher(stack, 'j-ann'), watcher(stack, 'j-other')]);
    const input = { userIds: ['j-ann', 'j-other', 'j-nobody'] };
    const statuses = ({ presences }: { presences: Presence[] }) => presences.map(({ status }) => status);

    expect(statuses(await ask(backOffice, 'presence.get', input))).toEqual(['online', 'online', 'offline']);
    expect(statuses(await ask(backOffice, 'presence.get', input, 'j-doc'))).toEqual(['online', 'offline', 'offline']);
  });
});

describe('a relationship', () => {
  test('that begins or ends changes at once what both see', async () => {
    const [ann, doc] = [await watcher(stack, 'k-ann'), await watcher(stack, 'k-doc', { gateway: 1 })];
    await show(ann.socket, 'away');

    const begun = [news(ann.socket, 'user:online', 'k-doc'), news(doc.socket, 'user:presence', 'k-ann')];
    await link('k-ann', 'k-doc');
    await Promise.all(begun);
    expect(storyOf(doc.told, 'k-ann')).toEqual(['online', 'away']);
    expect(await statusesOf(doc.socket, ['k-ann'])).toEqual(['away']);

    const ended = [news(ann.socket, 'user:offline', 'k-doc'), news(doc.socket, 'user:offline', 'k-ann')];
    await ask(backOffice, 'relationship.end', { clientUserId: 'k-ann', therapistUserId: 'k-doc' });
    expect(await Promise.all(ended)).toEqual([
      { userId: 'k-doc', lastSeenAt: null },
      { userId: 'k-ann', lastSeenAt: null },
    ]);
    expect(await presencesOf(doc.socket, ['k-ann'])).toEqual([
      { userId: 'k-ann', status: 'offline', lastSeenAt: null },
    ]);
    await show(ann.socket, 'online');
    await statusesOf(doc.socket, []);
    expect(storyOf(doc.told, 'k-ann')).toEqual(['online', 'away', 'offline']);
  });

  test('with somebody who is not there tells nobody anything', async () => {
    const doc = await watcher(stack, 'l-doc');
    await linkAll(['l-absent', 'l-ann'], 'l-doc');
    const online = news(doc.socket, 'user:online', 'l-ann');
    await connected(stack, 'l-ann');
    await online;
    expect(doc.told.slice(1)).toEqual([['user:online', { userId: 'l-ann' }]]);
  });
});

test('a session that ends while it begins leaves nobody behind', async () => {
  await linkAll(['m-ann', 'm-ben'], 'm-doc');
  const doc = await watcher(stack, 'm-doc');
  const hasty = clientOf(stack, 'm-ann').connect();
  hasty.once('connect', () => hasty.disconnect());
  const ben = await watcher(stack, 'm-ben');
  const gone = news(doc.socket, 'user:offline', 'm-ben');
  ben.socket.disconnect();
  await gone;
  await until(async () => (await statusesOf(doc.socket, ['m-ann']))[0] === 'offline');
  expect(storyOf(doc.told, 'm-ann').at(-1)).not.toBe('online');
});

/** How a client that follows the rules sees a contact. */
function viewOf(told: [string, Record<string, unknown>][], userId: string): unknown {
  return told.reduce<unknown>((view, [event, payload]) => {
    if (event === 'presence:state') {
      return (payload['presences'] as Presence[]).find(presence => presence.userId === userId)?.status ?? 'offline';
    }
    if (payload['userId'] !== userId) return view;
    return payload['status'] ?? event.replace('user:', '');
  }, undefined);
}
