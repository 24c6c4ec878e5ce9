import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Nats } from '@rapport/local-stack';
import { atEnd, runningNats, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { connectedTo, endOf, runningGateway, stopped, tokenFor, type GatewayProcess } from './gateway-process.ts';
import { rawConnected, rawSocket } from './raw-socket.ts';

const TIMEOUT_MS = 1_000;
/** The HTTP server looks once a second. */
const LATEST_MS = TIMEOUT_MS + 5_000;

let nats: Nats;
let gateway: GatewayProcess;

beforeAll(async () => {
  nats = await runningNats();
  gateway = await runningGateway(nats, { HANDSHAKE_TIMEOUT_MS: String(TIMEOUT_MS) });
}, START_TIMEOUT_MS);

async function tcp({ url }: GatewayProcess, text = ''): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  atEnd(() => socket.destroy());
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

describe('a connection that never authenticates is closed when the time for it is over:', () => {
  /** @param from before it began to connect: the gateway's clock starts when it has */
  const isInTime = (from: number): boolean => {
    const milliseconds = performance.now() - from;
    return milliseconds > TIMEOUT_MS - 100 && milliseconds < LATEST_MS;
  };

  test('one that says nothing, one that is refused, and one that asks for a namespace that is not there', async () => {
    for (const frame of ['', '40{"token":"garbage"}', '40/admin,{"token":"garbage"}']) {
      const from = performance.now();
      const raw = await rawSocket(gateway);
      if (frame) raw.socket.send(frame);
      await raw.closed;
      expect(isInTime(from)).toBe(true);
      expect(raw.frames.filter(text => text.startsWith('40'))).toEqual([]);
    }
  });

  test('one that never makes a request, and one that never ends it', async () => {
    for (const text of ['', 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nX-Slow: ']) {
      const from = performance.now();
      await once(await tcp(gateway, text), 'close');
      expect(isInTime(from)).toBe(true);
    }
  });

  test('one of long-polling', async () => {
    const from = performance.now();
    const response = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
    await (await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`)).text();
    expect(isInTime(from)).toBe(true);
    const after = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`);
    expect(after.status).toBe(400);
  });

  test('and one that authenticates in time stays', async () => {
    const socket = await connectedTo(gateway, 'alice');
    const raw = await rawSocket(gateway);
    await raw.closed;
    expect(await socket.emitWithAck('no:such')).toMatchObject({ error: { code: 'INVALID_PAYLOAD' } });
  });
});

describe('a gateway that is asked to end does so in good order', () => {
  const environment = { SHUTDOWN_TIMEOUT_MS: '3000', DRAIN_MS: '500' };

  test('whatever its connections are in the middle of', async () => {
    const ending = await runningGateway(nats, environment);
    await Promise.all([
      tcp(ending),
      tcp(ending, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '),
      tcp(ending, 'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n40'),
      rawSocket(ending),
    ]);
    const [deaf, socket] = await Promise.all([rawConnected(ending, 'deaf'), connectedTo(ending, 'alice')]);
    deaf.socket.pause();
    const ended = endOf(socket);
    await stopped(ending);
    expect(await ended).toBe('transport close');
  });

  test('and while it does, whoever comes is turned away in a way that they try again', async () => {
    const ending = await runningGateway(nats, { ...environment, DRAIN_MS: '1500' });
    await Promise.all(['a', 'b', 'c', 'd'].map(user => connectedTo(ending, user, { reconnection: false })));
    const late = await connectedTo(ending, 'late');
    const reconnecting = new Promise(resolve => late.io.once('reconnect_attempt', resolve));
    const ended = stopped(ending);
    const polling = `${ending.url}/socket.io/?EIO=4&transport=polling`;
    await ending.child.logged('stopping');
    expect((await fetch(polling)).status).toBe(403);
    expect((await fetch(`${ending.url}/readyz`)).status).toBe(503);
    await reconnecting;
    expect(late.active).toBe(true);
    await ended;
  });

  test('with a token that is looked up at this very moment', async () => {
    const ending = await runningGateway(nats, { ...environment, JWKS_URI: 'http://127.0.0.1:9/never' });
    const raws = await Promise.all(Array.from({ length: 20 }, () => rawSocket(ending)));
    for (const raw of raws) raw.socket.send(`40${JSON.stringify({ token: tokenFor('x') })}`);
    await expect(stopped(ending)).resolves.toBeUndefined();
  });
});
