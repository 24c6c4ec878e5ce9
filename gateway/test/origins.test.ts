import { beforeAll, expect, test } from '@jest/globals';
import { runningNats, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { clientWith, connect, connectedTo, runningGateway, tokenFor, type GatewayProcess } from './gateway-process.ts';
import { rawSocket } from './raw-socket.ts';

const APP = 'https://app.example.org';
const EVIL = 'https://evil.example.org';

let listed: GatewayProcess;
let open: GatewayProcess;

beforeAll(async () => {
  const nats = await runningNats();
  [listed, open] = await Promise.all([
    runningGateway(nats, { ALLOWED_ORIGINS: `${APP},http://localhost:3000` }),
    runningGateway(nats),
  ]);
}, START_TIMEOUT_MS);

const from = (gateway: GatewayProcess, origin: string, transport: 'websocket' | 'polling') =>
  clientWith(gateway, tokenFor('alice'), {
    transports: [transport],
    extraHeaders: { origin },
    reconnection: false,
  });

test.each(['websocket', 'polling'] as const)(
  'over %s a page of a listed origin may connect, and no other',
  async by => {
    for (const origin of [APP, 'http://localhost:3000']) {
      await expect(connect(from(listed, origin, by))).resolves.toMatchObject({ connected: true });
    }
    for (const origin of [EVIL, 'null', `${APP}.evil.org`, `${APP}:8443`, 'http://app.example.org', 'localhost:3000']) {
      await expect(connect(from(listed, origin, by))).rejects.toThrow(`${by === 'polling' ? 'xhr poll' : by} error`);
    }
  },
);

test('a program without an Origin may connect, wherever pages may', async () => {
  await expect(connectedTo(listed, 'alice')).resolves.toMatchObject({ connected: true });
});

test.each(['websocket', 'polling'] as const)('over %s any page may connect where the list is *', async by => {
  await expect(connect(from(open, EVIL, by))).resolves.toMatchObject({ connected: true });
});

test('a browser is told so: the answer allows a listed origin to read it, and no other', async () => {
  const allowed = async (gateway: GatewayProcess, origin: string) => {
    const answer = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    return [answer.status, answer.headers.get('access-control-allow-origin')];
  };
  expect(await allowed(listed, APP)).toEqual([200, APP]);
  expect(await allowed(listed, EVIL)).toEqual([403, null]);
  expect(await allowed(open, EVIL)).toEqual([200, '*']);
});

test('the other pages of the port carry the headers of helmet, and nothing names the server software', async () => {
  const answer = await fetch(`${listed.url}/healthz`);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'self'");
  expect(answer.headers.get('x-powered-by')).toBeNull();
  expect((await fetch(`${listed.url}/metrics`)).status).toBe(404);
  expect((await fetch(`${listed.url}/socket.io/socket.io.js`)).status).not.toBe(200);
});

test('nothing is compressed, also for whoever asks for it', async () => {
  // As every browser does.
  const { socket } = await rawSocket(open, 'EIO=4&transport=websocket');
  expect(socket.extensions).toBe('');
  const polled = await fetch(`${open.url}/socket.io/?EIO=4&transport=polling`, {
    headers: { 'accept-encoding': 'gzip, deflate' },
  });
  expect(polled.headers.get('content-encoding')).toBeNull();
});
