import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Nats } from '@rapport/local-stack';
import { runningNats, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import {
  clientWith,
  connect,
  connectedTo,
  endOf,
  refusalOf,
  runningGateway,
  sockets,
  tokenFor,
} from './gateway-process.ts';
import { rawConnected, rawSocket } from './raw-socket.ts';

let nats: Nats;

beforeAll(async () => {
  nats = await runningNats();
}, START_TIMEOUT_MS);

const LIMITED = { code: 'RATE_LIMITED', message: expect.any(String), retryAfterMs: expect.any(Number) };
const refusedFor = (retryAfterMs: unknown) => ({
  message: 'RATE_LIMITED',
  data: { code: 'RATE_LIMITED', reason: expect.any(String), retryAfterMs },
});

describe('a user who sends too much', () => {
  test('is told RATE_LIMITED with the time to wait, over all their sockets, and then goes on', async () => {
    const gateway = await runningGateway(nats, { RATE_LIMIT_BURST: '5', RATE_LIMIT_PER_SECOND: '1' });
    const [one, two, other] = await Promise.all(['a', 'a', 'b'].map(user => connectedTo(gateway, user)));
    const ask = (socket = one!) => socket.emitWithAck('no:such') as Promise<{ error: { code: string } }>;
    const acks = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index % 2 ? one : two)));
    const limited = acks.filter(({ error }) => error.code !== 'INVALID_PAYLOAD');
    // A burst, and one more for each second that it took.
    expect(limited.length).toBeGreaterThan(10);
    expect(limited.length).toBeLessThanOrEqual(15);
    for (const ack of limited) expect(ack).toEqual({ ok: false, error: LIMITED });
    const event = new Promise(resolve =>
      one!.on('error', (error: { code: string }) => error.code === 'RATE_LIMITED' && resolve(error)),
    );
    for (let sent = 0; sent < 5; sent += 1) one!.emit('message:send', {});
    expect(await event).toEqual({ ...LIMITED, event: 'message:send' });
    expect((await ask(other)).error.code).toBe('INVALID_PAYLOAD');
    await until(async () => (await ask()).error.code === 'INVALID_PAYLOAD');
  });

  test('and floods is not read for a while, and others are served meanwhile', async () => {
    const gateway = await runningGateway(nats, { RATE_LIMIT_BURST: '5', RATE_LIMIT_PER_SECOND: '50' });
    const [flooder, honest] = [await rawConnected(gateway, 'flooder'), await connectedTo(gateway, 'honest')];
    const flood = 100_000;
    for (let sent = 0; sent < flood; sent += 1) flooder.socket.send('420["no:such"]');
    for (let asked = 0; asked < 5; asked += 1) {
      const ack = (await honest.emitWithAck('no:such')) as { error: { code: string } };
      expect(ack.error.code).toBe('INVALID_PAYLOAD');
    }
    const answered = flooder.frames.filter(frame => frame.startsWith('430')).length;
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(flood / 2);
  });

  test('is not told so where the limit is 0', async () => {
    const gateway = await runningGateway(nats, { RATE_LIMIT_BURST: '0' });
    const socket = await connectedTo(gateway, 'fast');
    const acks = await Promise.all(Array.from({ length: 2_000 }, () => socket.emitWithAck('no:such')));
    expect(acks.filter(({ error }) => error.code !== 'INVALID_PAYLOAD')).toEqual([]);
  });
});

describe('too many handshakes at once', () => {
  test('are refused with RATE_LIMITED and the time to wait; after it the gateway takes them on', async () => {
    const gateway = await runningGateway(nats, { MAX_HANDSHAKES_PER_SECOND: '1' });
    // One each second is let in: at least one of so many is refused, however long they take.
    const clients = Array.from({ length: 8 }, (_, index) => clientWith(gateway, tokenFor(`u-${index}`)));
    const [late, refusal] = await Promise.any(clients.map(async socket => [socket, await refusalOf(socket)] as const));
    expect(refusal).toEqual(refusedFor(expect.any(Number)));
    const { retryAfterMs } = refusal.data as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1_000);
    await until(() =>
      connect(late).then(
        () => true,
        () => false,
      ),
    );
  });

  test('are let in where the limit is 0', async () => {
    const gateway = await runningGateway(nats, { MAX_HANDSHAKES_PER_SECOND: '0' });
    const users = Array.from({ length: 100 }, (_, index) => `u-${index}`);
    await expect(Promise.all(users.map(user => connectedTo(gateway, user)))).resolves.toHaveLength(100);
  });
});

describe.each([
  ['MAX_SOCKETS_PER_USER', 'one', 'another'],
  ['MAX_SOCKETS_PER_ADDRESS', 'any', 'any'],
])('%s', (name, user, other) => {
  test('bounds the sockets, refused ones do not count, and a place is free when one goes', async () => {
    const gateway = await runningGateway(nats, { [name]: '2' });
    const [leaving] = await Promise.all([connectedTo(gateway, user), connectedTo(gateway, user)]);
    for (let tries = 0; tries < 5; tries += 1) {
      expect(await refusalOf(clientWith(gateway, tokenFor(user)))).toEqual(refusedFor(5_000));
    }
    if (other !== user) await connectedTo(gateway, other);
    leaving.disconnect();
    await sockets(gateway, other === user ? 1 : 2);
    await connectedTo(gateway, user);
  });

  test('of 0 is off', async () => {
    const gateway = await runningGateway(nats, { MAX_SOCKETS_PER_USER: '0', [name]: '0' });
    const all = await Promise.all(Array.from({ length: 60 }, () => connectedTo(gateway, user)));
    expect(all.every(({ connected }) => connected)).toBe(true);
    await sockets(gateway, 60);
  });
});

test('handshakes that follow each other on one connection leave nothing behind', async () => {
  const gateway = await runningGateway(nats, { MAX_SOCKETS_PER_ADDRESS: '2', HANDSHAKE_TIMEOUT_MS: '60000' });
  const raw = await rawSocket(gateway);
  for (let round = 1; round <= 30; round += 1) {
    raw.socket.send('40{"token":"garbage"}');
    await until(() => raw.frames.filter(frame => frame.startsWith('44')).length === round);
    expect(raw.frames.at(-1)).toContain('AUTHENTICATION_FAILED');
  }
  for (let round = 1; round <= 15; round += 1) {
    raw.socket.send(`40${JSON.stringify({ token: tokenFor('in-and-out') })}`);
    await until(() => raw.frames.filter(frame => frame.startsWith('42["session:ready"')).length === round);
    raw.socket.send('41');
    await sockets(gateway, 0);
  }
  // A warning of too many listeners would be here.
  expect(gateway.child.errors).toEqual([]);
  await connectedTo(gateway, 'in-and-out');
});

test('a packet over MAX_MESSAGE_BYTES closes its socket and no other', async () => {
  const gateway = await runningGateway(nats, { MAX_MESSAGE_BYTES: '2048' });
  const [large, small] = await Promise.all([connectedTo(gateway, 'a'), connectedTo(gateway, 'a')]);
  const ended = endOf(large);
  large.emit('no:such', 'x'.repeat(1_500));
  await new Promise(resolve => large.once('error', resolve));
  large.emit('no:such', 'x'.repeat(2_048));
  expect(await ended).toBe('transport close');
  expect(await small.emitWithAck('no:such')).toMatchObject({ error: { code: 'INVALID_PAYLOAD' } });
  expect(small.connected).toBe(true);
});
