import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { atEnd, runningNats, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { connectedTo, runningGateway, sockets, tokenFor, type GatewayProcess } from './gateway-process.ts';
import { rawConnected, rawSocket } from './raw-socket.ts';

let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await runningGateway(await runningNats(), { RATE_LIMIT_BURST: '0' });
}, START_TIMEOUT_MS);

/** The same process serves an honest client, and has written nothing but its log. */
async function expectUnharmed(): Promise<void> {
  const honest = await connectedTo(gateway, 'honest');
  expect(await honest.emitWithAck('no:such')).toMatchObject({ error: { code: 'INVALID_PAYLOAD' } });
  honest.disconnect();
  expect(gateway.child.process.exitCode).toBeNull();
  expect(gateway.child.errors).toEqual([]);
  expect(gateway.child.lines.filter(line => /"level":"(error|fatal)"/.test(line))).toEqual([]);
}

afterEach(expectUnharmed);

const MANY = 'x'.repeat(10_000);

/** Engine.IO and Socket.IO packets that break the protocol. */
const MALFORMED = [
  ...String.raw`
    7 x 4 4x 49 4-1 4NaN 42 42{ 42{} 42[] 42[null] 42[{}] 42[true,1] 42["connect"] 42["disconnect"] 42["newListener"]
    42["connect_error",{}] 42[" 42[[ 42/[1] 42/, 42/admin,["message:send",{}] 42/__proto__,["x"] 421 42-1["x"] 40 40{
    40[] 40null 40"x" 40{"token": 40/admin 40/admin,{ 41/admin, 44 44{} 40, 45["x"] 451- 451-["x"] 450-["x"]
    45-1-["x"] 4511-["x"] 4599999999999-["x"] 451.5-["x"] 461-1[] 451-["message:send",{"_placeholder":true,"num":9}]
    451-["x",{"_placeholder":true,"num":-1}] 451-["x",{"_placeholder":true,"num":"__proto__"}] 0 0{"sid":"x"} 2probe
    3 3probe 5 6 b4 1 \u0000 42["x",1e999] 42["x",{"__proto__":{"a":1}}]`
    .trim()
    .split(/\s+/),
  '',
  ' ',
  '\0',
  '429'.repeat(500),
  `42["${'['.repeat(5_000)}`,
  `42${'['.repeat(60_000)}`,
  `40/${MANY},{}`,
  `42${'9'.repeat(400)}["x"]`,
];

describe('a frame that breaks the protocol ends its own connection at most:', () => {
  test('before the handshake', async () => {
    for (const frame of MALFORMED) {
      const raw = await rawSocket(gateway);
      raw.socket.send(frame);
      raw.socket.send(Buffer.from([1, 2, 3]));
      raw.socket.close();
      expect(await raw.closed).toBeGreaterThanOrEqual(1_000);
    }
  });

  test('after it, as text and as binary', async () => {
    for (const frame of MALFORMED) {
      const raw = await rawConnected(gateway, 'mallory');
      raw.socket.send(frame);
      raw.socket.send(Buffer.from(frame));
      raw.socket.send('42["no:such"]');
      raw.socket.close();
      expect(await raw.closed).toBeGreaterThanOrEqual(1_000);
    }
    await sockets(gateway, 0);
  });
});

test('an ack that nobody asked for, and one for every id there is, is nothing', async () => {
  const raw = await rawConnected(gateway, 'mallory');
  for (const id of ['0', '1', '99999999999999999999', '']) raw.socket.send(`43${id}["__proto__",{}]`);
  raw.socket.send('427["no:such"]');
  expect(await raw.frame('437')).toContain('INVALID_PAYLOAD');
  raw.socket.terminate();
});

test('a second CONNECT ends the connection, also one with the token of somebody else', async () => {
  const raw = await rawConnected(gateway, 'mallory');
  raw.socket.send(`40${JSON.stringify({ token: tokenFor('victim') })}`);
  expect(await raw.closed).toBeGreaterThanOrEqual(1_000);
  const racing = await rawSocket(gateway);
  for (let count = 0; count < 50; count += 1) racing.socket.send(`40${JSON.stringify({ token: tokenFor('m') })}`);
  expect(await racing.closed).toBeGreaterThanOrEqual(1_000);
  await sockets(gateway, 0);
});

test('a thousand namespaces on one connection are refused, and none of them is made', async () => {
  const raw = await rawConnected(gateway, 'mallory');
  const memory = await gateway.metric('nodejs_heap_size_used_bytes');
  for (let count = 0; count < 1_000; count += 1) raw.socket.send(`40/n-${count},{}`);
  await raw.frame('44/n-999,{"message":"Invalid namespace"}');
  expect(await gateway.metric('nodejs_heap_size_used_bytes')).toBeLessThan(memory + 100_000_000);
});

test.each([
  'EIO=3&transport=websocket',
  'EIO=4&transport=websocket&sid=nobody',
  'EIO=4&transport=carrier-pigeon',
  'EIO=4&transport=__proto__',
  'EIO=4&transport=websocket&sid=__proto__',
  'transport=websocket&sid[]=1',
])('an upgrade with the query %s is refused', async query => {
  const outcome = await rawSocket(gateway, query).then(
    ({ closed }) => closed,
    (error: unknown) => (error as Error).message,
  );
  // Socket.IO finds out about an old version only after the upgrade.
  expect([1_006, 'Unexpected server response: 400']).toContain(outcome);
});

test('what is no HTTP, and HTTP that is no request of ours, is answered or cut off', async () => {
  const { hostname, port } = new URL(gateway.url);
  const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket';
  const texts = [
    '\x16\x03\x01\x02\x00\x01\x00',
    'GET',
    'garbage\r\n\r\n',
    '\0'.repeat(1_000),
    `GET /${MANY.repeat(3)} HTTP/1.1\r\n\r\n`,
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${MANY.repeat(10)}\r\n\r\n`,
    'GET //socket.io/%zz HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${upgrade}\r\nSec-WebSocket-Key: bad\r\n\r\n`,
    `GET /other HTTP/1.1\r\n${upgrade}\r\n\r\n`,
    'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nx',
    'GET /socket.io/?EIO=4&transport=polling&j=alert(1) HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  let closings = 0;
  for (const text of texts) {
    const socket = connectTcp(Number(port), hostname);
    atEnd(() => socket.destroy());
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.end(text, 'latin1');
    await closed;
    closings += 1;
  }
  expect(closings).toBe(texts.length);
});
