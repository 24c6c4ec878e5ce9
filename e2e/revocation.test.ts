import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Bus } from '@rapport/bus';
import type { Stack } from '@rapport/local-stack';
import { io, type Socket } from 'socket.io-client';
import { inSeconds } from '../gateway/test/token.ts';
import { atEnd, until } from '../libs/service/test/kit.ts';
import { databaseOf, emit, next, STACK_TIMEOUT_MS, tokenOf } from './kit.ts';
import { ask, presenceStack } from './presence-kit.ts';

const CRASH_TIMEOUT_MS = 90_000;
/** Five reports in it: from one to the next takes longer than what is told at once may take on a busy machine. */
const LEASE_MS = 30_000;

let stack: Stack;
let backOffice: Bus;

beforeAll(async () => {
  ({ stack, backOffice } = await presenceStack({ PRESENCE_LEASE_MS: String(LEASE_MS) }));
}, STACK_TIMEOUT_MS);

const revoke = (userId: string) => ask(backOffice, 'session.revoke', { userId });
/** Issued a minute ago: before anything that a test revokes. */
const oldToken = (userId: string) => tokenOf(stack, userId, { iat: inSeconds(-60) });
/** Issued in ten minutes: after anything that a test revokes. */
const newToken = (userId: string) => tokenOf(stack, userId, { iat: inSeconds(600) });

function client(token: string, gateway: number): Socket {
  const socket = io(stack.gateways[gateway] ?? '', {
    auth: { token },
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
    autoConnect: false,
  });
  atEnd(() => socket.disconnect());
  return socket;
}

/** `connected`, or why not. */
async function enter(token: string, gateway: number): Promise<unknown> {
  const socket = client(token, gateway);
  const outcome = await new Promise(resolve => {
    socket.once('session:ready', () => resolve('connected'));
    socket.once('connect_error', error => resolve((error as Error & { data?: unknown }).data ?? error.message));
    socket.connect();
  });
  socket.disconnect();
  return outcome;
}

const connect = async (token: string, gateway: number): Promise<Socket> => {
  const socket = client(token, gateway);
  const ready = next(socket, 'session:ready');
  socket.connect();
  await ready;
  return socket;
};

const REVOKED = { code: 'AUTHENTICATION_FAILED', reason: 'revoked' };
const onEachGateway = (token: string) => Promise.all([enter(token, 0), enter(token, 1)]);

describe('session.revoke', () => {
  test('ends every socket of the user at once, on all gateways, and nobody else', async () => {
    const sockets = await Promise.all([0, 1, 1].map(gateway => connect(oldToken('a-ann'), gateway)));
    const other = await connect(oldToken('a-ben'), 0);
    const errors = sockets.map(socket => next(socket, 'error'));
    const ends = sockets.map(socket => next<unknown>(socket, 'disconnect'));

    const from = performance.now();
    const { revokedBefore } = await revoke('a-ann');
    expect(await Promise.all(ends)).toEqual(sockets.map(() => 'io server disconnect'));
    expect(performance.now() - from).toBeLessThan(LEASE_MS / 10);
    for (const error of await Promise.all(errors)) expect(error).toMatchObject(REVOKED);
    expect(Math.abs(Date.parse(revokedBefore) - Date.now())).toBeLessThan(5_000);

    expect(await onEachGateway(oldToken('a-ann'))).toEqual([REVOKED, REVOKED]);
    expect(await onEachGateway(tokenOf(stack, 'a-ann', { iat: 0 }))).toEqual([REVOKED, REVOKED]);
    expect(await onEachGateway(newToken('a-ann'))).toEqual(['connected', 'connected']);
    expect(other.connected).toBe(true);
  });

  test('does not end what a newer token holds, and refuses to go back to an older one', async () => {
    const [renewed, fresh] = [await connect(oldToken('b-ann'), 0), await connect(newToken('b-ann'), 1)];
    expect(await emit(renewed, 'auth:refresh', { token: newToken('b-ann') })).toMatchObject({ ok: true });
    await revoke('b-ann');
    expect(await emit(fresh, 'auth:refresh', { token: oldToken('b-ann') })).toMatchObject({
      ok: false,
      error: { code: 'AUTHENTICATION_FAILED', details: [{ path: 'token', message: 'revoked' }] },
    });
    expect([renewed.connected, fresh.connected]).toEqual([true, true]);
  });
});

test('a gateway that missed what it was told learns of it with its next report', async () => {
  const socket = await connect(oldToken('c-ann'), 0);
  const ended = next<unknown>(socket, 'disconnect');
  await databaseOf(stack, 'presence-service').query(
    `with next as (update revocation_counter set last = last + 1 returning last)
     insert into revocation select 'c-ann', now(), last from next`,
  );
  const from = performance.now();
  expect(await ended).toBe('io server disconnect');
  expect(performance.now() - from).toBeLessThan(LEASE_MS);
  expect(await onEachGateway(oldToken('c-ann'))).toContainEqual(REVOKED);
});

test(
  'a revocation outlives every restart',
  async () => {
    await revoke('d-ann');
    for (const names of [
      ['gateway-1'],
      ['nats-server'],
      ['postgresql'],
      ['presence-service-1', 'presence-service-2'],
    ]) {
      const programs = names.map(name => stack.programs.get(name)!);
      for (const program of programs) program.kill('SIGKILL');
      await Promise.all(programs.map(program => program.ready()));
      await until(async () => (await enter(newToken('d-ann'), 0)) === 'connected');
      expect(await onEachGateway(oldToken('d-ann'))).toEqual([REVOKED, REVOKED]);
    }
  },
  CRASH_TIMEOUT_MS,
);

test(
  'without any presence service nobody is locked out and nobody revoked let in, by gateways that start then as well',
  async () => {
    await revoke('e-ann');
    await until(async () => (await enter(oldToken('e-ann'), 0)) !== 'connected');
    await Promise.all(['presence-service-1', 'presence-service-2'].map(name => stack.programs.get(name)!.stop()));
    const check = async () => {
      expect(await onEachGateway(oldToken('e-ann'))).toEqual([REVOKED, REVOKED]);
      expect(await onEachGateway(oldToken('e-ben'))).toEqual(['connected', 'connected']);
    };
    await check();
    const gateways = ['gateway-1', 'gateway-2'].map(name => stack.programs.get(name)!);
    for (const gateway of gateways) gateway.kill('SIGKILL');
    await Promise.all(gateways.map(gateway => gateway.ready()));
    await check();
  },
  CRASH_TIMEOUT_MS,
);
