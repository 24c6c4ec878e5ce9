import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, test } from '@jest/globals';
import { Server } from 'socket.io';
import { atEnd, until } from '../../libs/service/test/kit.ts';
import { boundBacklogs, cutOffSlow, SLOW_ROOM } from '../src/backlog.ts';
import type { GatewayServer, GatewaySocket } from '../src/gateway-socket.ts';
import { rawSocket, type RawSocket } from './raw-socket.ts';

const MAX_BYTES = 200_000;
const CHUNK = 'x'.repeat(10_000);
/** What the kernel takes for a client that does not read, and more. */
const FILLING = 2_000;

let io: GatewayServer;
let server: HttpServer;
let url: string;

beforeAll(async () => {
  server = createServer();
  io = new Server(server, { perMessageDeflate: false });
  atEnd(() => io.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

interface Peer {
  readonly client: RawSocket;
  readonly socket: GatewaySocket;
  readonly overflows: () => number;
}

async function peer(): Promise<Peer> {
  const connected = once(io, 'connection') as Promise<[GatewaySocket]>;
  const client = await rawSocket({ url });
  client.socket.send('40');
  const [socket] = await connected;
  let overflows = 0;
  boundBacklogs(MAX_BYTES, () => {
    overflows += 1;
    cutOffSlow(socket);
  })(socket);
  return { client, socket, overflows: () => overflows };
}

const isSlow = ({ socket }: Peer): boolean => socket.rooms.has(SLOW_ROOM);

/** Sends until the transport takes no more: from then on everything waits in memory. */
async function fill(socket: GatewaySocket): Promise<void> {
  for (let count = 0; count < FILLING && socket.conn.transport.writable; count += 1) {
    socket.emit('chunk', CHUNK);
    await new Promise(resolve => setImmediate(resolve));
  }
  expect(socket.conn.transport.writable).toBe(false);
}

test('a client that reads is never slow, however much it is sent', async () => {
  const reading = await peer();
  for (let count = 0; count < 40; count += 1) {
    reading.socket.emit('chunk', CHUNK);
    await until(() => reading.socket.conn.transport.writable);
    expect(isSlow(reading)).toBe(false);
  }
  expect(reading.overflows()).toBe(0);
});

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

test('a client that does not read is slow from half of the bound on, and over the bound it is cut off once', async () => {
  const others = await connections();
  const paused = await peer();
  const gone = once(paused.socket, 'disconnect');
  paused.client.socket.pause();
  await fill(paused.socket);
  for (let bytes = CHUNK.length; bytes < MAX_BYTES / 2 - CHUNK.length; bytes += CHUNK.length) {
    paused.socket.emit('chunk', CHUNK);
    expect(isSlow(paused)).toBe(false);
  }
  for (let count = 0; count < 3; count += 1) paused.socket.emit('chunk', CHUNK);
  expect(isSlow(paused)).toBe(true);
  expect(paused.overflows()).toBe(0);
  for (let bytes = 0; bytes < MAX_BYTES; bytes += CHUNK.length) paused.socket.emit('chunk', CHUNK);
  await gone;
  expect(paused.overflows()).toBe(1);
  // Its memory too: the connection does not wait for a client that does not read.
  await until(async () => (await connections()) === others);
});

test('a client that catches up is not slow any more', async () => {
  const late = await peer();
  late.client.socket.pause();
  await fill(late.socket);
  for (let bytes = 0; bytes <= MAX_BYTES / 2; bytes += CHUNK.length) late.socket.emit('chunk', CHUNK);
  expect(isSlow(late)).toBe(true);
  late.client.socket.resume();
  await until(() => !isSlow(late));
  expect(late.overflows()).toBe(0);
  late.socket.emit('last');
  await late.client.frame('42["last"]');
});
