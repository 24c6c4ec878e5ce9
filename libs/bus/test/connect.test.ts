import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { describe, expect, test } from '@jest/globals';
import { closeBus, connectBus, deliver, listen, pingBus, type Delivery } from '@rapport/bus';
import { freePort, startNats } from '@rapport/local-stack';
import { credentials, openHouse } from './kit.ts';
import { createRecorder } from './recorder.ts';

const house = openHouse();

const as = (user: 'gateway') => ({ as: user, requestTimeoutMs: 1_000, observer: createRecorder() });

describe('a server that is not there yet', () => {
  test('is waited for', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nats-house-'));
    house.afterwards(() => rmSync(dir, { recursive: true, force: true }));
    // A first run makes the passwords; the second one is the server that is waited for.
    const earlier = await startNats({ dir, env });
    await earlier.process.stop();
    const options = { ...credentials(earlier, 'gateway'), ...as('gateway') };

    const connecting = connectBus(options);
    await options.observer.until('log', ({ message }) => message === 'NATS is not reachable, trying again');
    const nats = await startNats({ dir, port: earlier.port, env });
    house.afterwards(() => nats.process.stop());
    const bus = await connecting;
    house.afterwards(() => closeBus(bus));

    await expect(pingBus(bus)).resolves.toBeUndefined();
  });

  test('is waited for no longer when the process is to stop', async () => {
    const stopping = new AbortController();
    const options = { ...as('gateway'), servers: `nats://127.0.0.1:${await freePort()}` };

    const connecting = connectBus(options, stopping.signal);
    await options.observer.until('log', ({ message }) => message === 'NATS is not reachable, trying again');
    stopping.abort();

    await expect(connecting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('a password that is wrong is refused at once, and shown nowhere', async () => {
  const options = { ...credentials(house.nats, 'gateway'), ...as('gateway'), password: 'a-wrong-password' };

  const refused = await connectBus(options).catch((error: unknown) => error);

  expect(refused).toMatchObject({ name: 'AuthorizationError' });
  expect(String(refused)).not.toContain('a-wrong-password');
  expect(JSON.stringify(options.observer.told('log'))).not.toContain('a-wrong-password');
});

test('a bus that is closed has sent what it was given, and its end is not an error', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const arrived = Promise.withResolvers<Delivery>();
  const listening = listen(gateway, { user: 'bob' }, arrived.resolve);
  await listening.established();

  deliver(service, { user: 'bob' }, 'user:typing', { userId: 'alice', isTyping: true });
  await closeBus(service);
  await closeBus(service);

  expect((await arrived.promise).event).toBe('user:typing');
  await expect(pingBus(service)).rejects.toMatchObject({ name: 'ClosedConnectionError' });
  expect(service.observer.told('fatal')).toEqual([]);
});
