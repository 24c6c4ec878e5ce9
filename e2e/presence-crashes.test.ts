import { afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { databaseOf, STACK_TIMEOUT_MS } from './kit.ts';
import {
  arrived,
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

// In each of these a doctor watches two contacts. One of them comes back, and must never be called offline; the other
// one leaves while it happens, and must be called offline all the same, once.

const CRASH_TIMEOUT_MS = 120_000;

let stack: Stack;
let link: Link;

beforeAll(async () => {
  ({ stack, link } = await presenceStack());
}, STACK_TIMEOUT_MS);

interface Scene {
  readonly doc: Watcher;
  readonly stays: Watcher;
  readonly leaves: Watcher;
  readonly ids: { readonly stays: string; readonly leaves: string };
}

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.disconnect();
});

/** @param gateways of the doctor and of the contacts */
async function scene(name: string, gateways: { doc: number; contacts: number }): Promise<Scene> {
  const [ids, docId] = [{ stays: `${name}-stays`, leaves: `${name}-leaves` }, `${name}-doc`];
  await Promise.all(Object.values(ids).map(user => link(user, docId)));
  const doc = await watcher(stack, docId, { gateway: gateways.doc });
  const [stays, leaves] = await Promise.all([
    watcher(stack, ids.stays, { gateway: gateways.contacts }),
    watcher(stack, ids.leaves, { gateway: gateways.contacts }),
  ]);
  await until(() => storyOf(doc.told, ids.leaves).length === 1 && storyOf(doc.told, ids.stays).length === 1);
  open.push(doc.socket, stays.socket, leaves.socket);
  return { doc, stays, leaves, ids };
}

/** What the doctor was told, once one is offline and news of the other have come after that. */
async function outcome({ doc, stays, ids }: Scene) {
  await until(() => storyOf(doc.told, ids.leaves).includes('offline'));
  const away = news(doc.socket, 'user:presence', ids.stays);
  await show(stays.socket, 'away');
  await away;
  const now = await statusesOf(doc.socket, [ids.leaves, ids.stays]);
  return { leaves: storyOf(doc.told, ids.leaves), stays: storyOf(doc.told, ids.stays), now };
}

const NO_BLINK = { leaves: ['online', 'offline'], stays: ['online', 'away'], now: ['offline', 'away'] };

/** The socket has lost its gateway, and comes back by itself. */
const back = (socket: Socket) => new Promise(resolve => socket.io.once('reconnect', resolve));

test(
  'a gateway that is killed: who comes back is never offline, who does not is, after its lease',
  async () => {
    const all = await scene('gateway-killed', { doc: 1, contacts: 0 });
    const killed = Date.now();
    const returned = back(all.stays.socket);
    all.leaves.socket.io.reconnection(false);
    stack.programs.get('gateway-1')!.kill('SIGKILL');
    await returned;
    expect(await outcome(all)).toEqual(NO_BLINK);
    const [seen] = await presencesOf(all.doc.socket, [all.ids.leaves]);
    expect(Date.parse(seen?.lastSeenAt ?? '')).toBeLessThan(killed + 1_000);
    await stack.programs.get('gateway-1')!.ready();
  },
  CRASH_TIMEOUT_MS,
);

test(
  'every gateway killed at once: the doctor, who was away too, sees the same',
  async () => {
    const all = await scene('gateways-killed', { doc: 1, contacts: 0 });
    const returned = [back(all.stays.socket), back(all.doc.socket)];
    all.leaves.socket.io.reconnection(false);
    for (const name of ['gateway-1', 'gateway-2']) stack.programs.get(name)!.kill('SIGKILL');
    await Promise.all(returned);
    expect(await outcome(all)).toEqual(NO_BLINK);
  },
  CRASH_TIMEOUT_MS,
);

test(
  'both presence services killed: nobody is offline for it, and who leaves meanwhile is when they are back',
  async () => {
    const all = await scene('presence-killed', { doc: 1, contacts: 0 });
    await show(all.leaves.socket, 'dnd');
    const services = ['presence-service-1', 'presence-service-2'].map(name => stack.programs.get(name)!);
    for (const service of services) service.kill('SIGKILL');
    all.leaves.socket.disconnect();
    await Promise.all(services.map(service => service.ready()));
    await until(() => storyOf(all.doc.told, all.ids.leaves).includes('offline'));
    expect(storyOf(all.doc.told, all.ids.leaves)).toEqual(['online', 'dnd', 'offline']);
    expect(storyOf(all.doc.told, all.ids.stays)).toEqual(['online']);

    const again = news(all.doc.socket, 'user:presence', all.ids.leaves);
    await arrived(all.leaves.socket);
    expect(await again).toMatchObject({ status: 'dnd' });
  },
  CRASH_TIMEOUT_MS,
);

test(
  'one of the presence services killed while people come and go: nothing is lost, and nothing told twice',
  async () => {
    const all = await scene('one-killed', { doc: 1, contacts: 0 });
    const crowd = Array.from({ length: 30 }, (_, index) => `one-killed-${index}`);
    await Promise.all(crowd.map(user => link(user, 'one-killed-doc')));
    const people = await Promise.all(crowd.map((user, index) => watcher(stack, user, { gateway: index % 2 })));
    people.forEach(({ socket }, index) => {
      socket.disconnect();
      if (index === 10) stack.programs.get('presence-service-1')!.kill('SIGKILL');
    });
    all.leaves.socket.disconnect();
    await until(() => crowd.every(user => storyOf(all.doc.told, user).includes('offline')));
    expect(await outcome(all)).toEqual(NO_BLINK);
    expect(crowd.map(user => storyOf(all.doc.told, user))).toEqual(crowd.map(() => ['online', 'offline']));
    await stack.programs.get('presence-service-1')!.ready();
  },
  CRASH_TIMEOUT_MS,
);

test(
  'NATS killed: nobody is offline for it, and who leaves meanwhile is when it is back',
  async () => {
    const all = await scene('nats-killed', { doc: 1, contacts: 0 });
    stack.programs.get('nats-server')!.kill('SIGKILL');
    all.leaves.socket.disconnect();
    expect(await outcome(all)).toEqual(NO_BLINK);
  },
  CRASH_TIMEOUT_MS,
);

test(
  'PostgreSQL killed, whose unlogged tables come back empty: the gateways report again before anybody is offline',
  async () => {
    const all = await scene('postgres-killed', { doc: 1, contacts: 0 });
    const pool = databaseOf(stack, 'presence-service');
    const stores = async () => (await pool.query<{ id: string }>('select id from session_store')).rows;
    const before = await stores();
    const postgres = stack.programs.get('postgresql')!;
    postgres.kill('SIGKILL');
    all.leaves.socket.disconnect();
    await postgres.ready();
    expect(await outcome(all)).toEqual(NO_BLINK);
    expect(await stores()).not.toEqual(before);
    const { rows } = await pool.query<{ status: string; lastSeen: unknown }>(
      `select status, last_seen_at as "lastSeen" from presence where user_id = 'nats-killed-leaves'`,
    );
    expect(rows).toEqual([{ status: 'offline', lastSeen: expect.any(Date) }]);
  },
  CRASH_TIMEOUT_MS,
);

test(
  'PostgreSQL and a gateway killed at once: its sessions are given up when it was silent for its lease',
  async () => {
    const all = await scene('both-killed', { doc: 1, contacts: 0 });
    const [postgres, gateway] = [stack.programs.get('postgresql')!, stack.programs.get('gateway-1')!];
    const returned = back(all.stays.socket);
    all.leaves.socket.io.reconnection(false);
    gateway.kill('SIGKILL');
    postgres.kill('SIGKILL');
    await Promise.all([postgres.ready(), returned]);
    expect(await outcome(all)).toEqual(NO_BLINK);
  },
  CRASH_TIMEOUT_MS,
);

test(
  'a gateway that stops in good order: who comes back to it is never offline, who does not is',
  async () => {
    const all = await scene('gateway-stopped', { doc: 1, contacts: 0 });
    const returned = back(all.stays.socket);
    all.leaves.socket.io.reconnection(false);
    stack.programs.get('gateway-1')!.kill('SIGTERM');
    await returned;
    expect(await outcome(all)).toEqual(NO_BLINK);
  },
  CRASH_TIMEOUT_MS,
);
