import { beforeAll, expect, test } from '@jest/globals';
import { deliver, type Bus } from '@rapport/bus';
import { gatewayEvents, type DeliveryPayload } from '@rapport/contracts';
import type { Nats } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { busAs, runningNats, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { clientWith, connect, connectedTo, runningGateway, tokenFor, type GatewayProcess } from './gateway-process.ts';

const RESTART_TIMEOUT_MS = 60_000;

let nats: Nats;
let gateway: GatewayProcess;
let service: Bus;

beforeAll(async () => {
  nats = await runningNats();
  gateway = await runningGateway(nats, { HANDSHAKE_TIMEOUT_MS: '3000' });
  service = await busAs(nats, 'messaging-service');
}, START_TIMEOUT_MS);

const once = (socket: Socket, event: string): Promise<unknown> => new Promise(resolve => socket.once(event, resolve));
const typing = (user: string): void =>
  deliver(service, { user }, 'user:typing', { userId: 'somebody', isTyping: true });

/** The service's own connection is back too. */
const reachable = (): Promise<void> =>
  until(() =>
    service.connection.flush().then(
      () => true,
      () => false,
    ),
  );

test('session:ready comes once after connect, first of all, and is what the contract says', async () => {
  const socket = clientWith(gateway, tokenFor('ready'));
  const events: [string, unknown][] = [];
  socket.onAny((event: string, payload: unknown) => events.push([event, payload]));
  const from = Date.now();
  await connect(socket);
  await socket.emitWithAck('no:such');
  expect(events.map(([event]) => event)).toEqual(['session:ready']);
  const ready = gatewayEvents['session:ready'].payload.strict().parse(events[0]![1]);
  expect(ready.limits).toEqual({
    maxMessageBytes: 65_536,
    maxContentCharacters: 10_000,
    rateLimitBurst: 300,
    rateLimitPerSecond: 50,
  });
  expect(Math.abs(Date.parse(ready.serverTime) - from)).toBeLessThan(10_000);
});

test('a message that comes when the counts are on their way, and the socket is not connected, has it ask again', async () => {
  const counting = service.connection.subscribe('rpc.v1.gateway.message.unread-counts', {
    queue: 'messaging-service',
    callback: (_, request) => {
      // Committed after they were counted, and there before they are.
      deliver(service, { user: 'early' }, 'message:received', {} as DeliveryPayload<'message:received'>);
      typing('early-typing');
      request.respond(JSON.stringify({ ok: true, data: { counts: [0] } }));
    },
  });
  await service.connection.flush();
  for (const [user, expected] of [
    ['early', ['session:ready', 'sync:required']],
    ['early-typing', ['session:ready']],
  ] as const) {
    const socket = clientWith(gateway, tokenFor(user));
    const events: string[] = [];
    socket.onAny((event: string) => events.push(event));
    await connect(socket);
    await socket.emitWithAck('no:such');
    expect(events).toEqual(expected);
  }
  counting.unsubscribe();
});

test(
  'after NATS was killed under them all sockets stay, are told sync:required once, spread, and deliveries flow on',
  async () => {
    const users = Array.from({ length: 30 }, (_, index) => `synced-${index}`);
    const all = await Promise.all(users.map(user => connectedTo(gateway, user)));
    const told: number[] = [];
    const dropped: string[] = [];
    for (const socket of all) {
      socket.on('sync:required', (payload: unknown) => {
        gatewayEvents['sync:required'].payload.strict().parse(payload);
        told.push(performance.now());
      });
      socket.on('disconnect', reason => dropped.push(reason));
    }
    nats.process.kill('SIGKILL');
    await gateway.child.logged('NATS connection lost, reconnecting');
    expect(await all[0]!.emitWithAck('message:send', { recipientId: 'bob', content: 'x' })).toMatchObject({
      ok: false,
      error: { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) },
    });
    await nats.process.ready();
    await gateway.child.logged('NATS connection is back');
    await until(() => told.length === all.length);
    expect(told.at(-1)! - told[0]!).toBeGreaterThan(1_000);
    expect(told.at(-1)! - told[0]!).toBeLessThan(8_000);

    await reachable();
    const arrived = all.map(socket => once(socket, 'user:typing'));
    users.forEach(typing);
    await Promise.all(arrived);
    expect([told.length, dropped]).toEqual([all.length, []]);
  },
  RESTART_TIMEOUT_MS,
);

test(
  'a client that comes while NATS hangs gets in by itself when it is back, and what is delivered then arrives',
  async () => {
    nats.process.kill('SIGSTOP');
    const users = ['hanging-1', 'hanging-2', 'hanging-3'];
    const waiting = users.map(user => clientWith(gateway, tokenFor(user, { role: 'therapist' })));
    const before = gateway.child.lines.length;
    for (const socket of waiting) socket.connect();
    await until(() => gateway.child.lines.length > before || waiting.some(({ io: { engine } }) => engine?.id));
    const connected = waiting.map(socket => once(socket, 'connect'));
    nats.process.kill('SIGKILL');
    await nats.process.ready();
    await Promise.all(connected);
    await reachable();
    const arrived = waiting.map(socket => once(socket, 'user:typing'));
    users.forEach(typing);
    expect(await Promise.all(arrived)).toEqual(users.map(() => ({ userId: 'somebody', isTyping: true })));
  },
  RESTART_TIMEOUT_MS,
);
