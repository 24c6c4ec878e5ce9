import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { natsWithAnybody } from '../../libs/bus/test/anybody.ts';
import { clientWith, connect, connectedTo, endOf, refusalOf, runningGateway, tokenFor } from './gateway-process.ts';
import type { GatewayProcess } from './gateway-process.ts';
import { inSeconds } from './token.ts';

let gateway: GatewayProcess;
let anybody: Awaited<ReturnType<typeof natsWithAnybody>>['anybody'];

beforeAll(async () => {
  const { nats, ...rest } = await natsWithAnybody();
  anybody = rest.anybody;
  gateway = await runningGateway(nats);
}, START_TIMEOUT_MS);

/** In three to four seconds, for a token says in whole ones when it ends: time enough to connect and refresh before. */
const soon = (): number => inSeconds(4);
const refresh = (socket: Socket, token: unknown): Promise<unknown> => socket.emitWithAck('auth:refresh', { token });
const once = (socket: Socket, event: string): Promise<unknown> => new Promise(resolve => socket.once(event, resolve));

/** Whether the socket gets what is delivered to the therapist's room; what is sent to the user after it has arrived. */
async function isInRoom(socket: Socket, userId: string, therapist: string): Promise<boolean> {
  let isIn = false;
  const listener = (): void => void (isIn = true);
  socket.on('appointment:reminder', listener);
  anybody.publish(`deliver.v1.therapist.${therapist}.appointment.reminder`, '{}');
  const barrier = once(socket, 'notification:new');
  anybody.publish(`deliver.v1.user.${userId}.notification.new`, '{}');
  await barrier;
  socket.off('appointment:reminder', listener);
  return isIn;
}

test('a token that expires ends the connection: first the error event with the reason, then the server disconnects', async () => {
  const exp = soon();
  const token = tokenFor('brief', { exp });
  const socket = await connect(clientWith(gateway, token));
  const events: unknown[] = [];
  socket.on('error', (error: unknown) => events.push(error));
  socket.on('disconnect', reason => events.push(reason));
  await endOf(socket);
  expect(events).toEqual([
    { code: 'AUTHENTICATION_FAILED', message: expect.any(String), reason: 'expired' },
    'io server disconnect',
  ]);
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
  expect(await refusalOf(clientWith(gateway, token))).toMatchObject({ data: { reason: 'expired' } });
});

describe('auth:refresh', () => {
  test('before the end keeps the connection, and names the new end', async () => {
    const old = tokenFor('refreshed', { exp: soon() });
    const [socket, witness] = await Promise.all([connect(clientWith(gateway, old)), connect(clientWith(gateway, old))]);
    const exp = inSeconds(600);
    expect(await refresh(socket, tokenFor('refreshed', { exp }))).toEqual({
      ok: true,
      data: { expiresAt: new Date(exp * 1_000).toISOString() },
    });
    expect(await endOf(witness)).toBe('io server disconnect');
    expect(await isInRoom(socket, 'refreshed', 'nobody')).toBe(false);
    expect(socket.connected).toBe(true);
  });

  test.each<[string, unknown, object]>([
    ['of another user', tokenFor('mallory'), { code: 'UNAUTHORIZED' }],
    ['that has expired', tokenFor('kept', { exp: inSeconds(-1) }), { code: 'AUTHENTICATION_FAILED' }],
    ['that holds later', tokenFor('kept', { nbf: inSeconds(60) }), { code: 'AUTHENTICATION_FAILED' }],
    [
      'that is garbage',
      'garbage',
      { code: 'AUTHENTICATION_FAILED', details: [{ path: 'token', message: 'malformed' }] },
    ],
    ['that is empty', '', { code: 'INVALID_PAYLOAD', details: [{ path: 'token', message: expect.any(String) }] }],
    ['that is no text', { token: 'x' }, { code: 'INVALID_PAYLOAD' }],
  ])('with a token %s is refused, and the connection is as before', async (_what, token, error) => {
    const socket = await connectedTo(gateway, 'kept', { claims: { role: 'therapist', therapistId: 'dr-kept' } });
    expect(await refresh(socket, token)).toMatchObject({ ok: false, error });
    expect(await isInRoom(socket, 'kept', 'dr-kept')).toBe(true);
    expect(socket.connected).toBe(true);
  });

  test('that is refused does not put off the end', async () => {
    const socket = await connectedTo(gateway, 'unmoved', { claims: { exp: soon() } });
    await refresh(socket, tokenFor('mallory'));
    expect(await endOf(socket)).toBe('io server disconnect');
  });

  test('with an earlier end moves the end', async () => {
    const socket = await connectedTo(gateway, 'earlier');
    expect(await refresh(socket, tokenFor('earlier', { exp: soon() }))).toMatchObject({ ok: true });
    expect(await endOf(socket)).toBe('io server disconnect');
  });

  test('of a therapist with another therapistId changes the room', async () => {
    const therapist = (therapistId: string) => ({ role: 'therapist', therapistId });
    const socket = await connectedTo(gateway, 'moving', { claims: therapist('dr-1') });
    const rooms = async () => [
      await isInRoom(socket, 'moving', 'dr-1'),
      await isInRoom(socket, 'moving', 'dr-2'),
      await isInRoom(socket, 'moving', 'dr-3'),
    ];
    expect(await rooms()).toEqual([true, false, false]);
    expect(await refresh(socket, tokenFor('moving', therapist('dr-2')))).toMatchObject({ ok: true });
    expect(await rooms()).toEqual([false, true, false]);
    await Promise.all(['dr-1', 'dr-2', 'dr-1', 'dr-3'].map(id => refresh(socket, tokenFor('moving', therapist(id)))));
    expect(await rooms()).toEqual([false, false, true]);
    expect(await refresh(socket, tokenFor('moving'))).toMatchObject({ ok: true });
    expect(await rooms()).toEqual([false, false, false]);
  });
});
