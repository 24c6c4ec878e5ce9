import { createServer, type Server } from 'node:http';
import { get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { addressMistake, createOutsideAgent, isOutside } from '../src/outside-addresses.ts';
import { atEnd } from '../../libs/service/test/kit.ts';

const mistake = (endpoint: string): string | undefined => addressMistake(endpoint, false);

test.each([
  'https://fcm.googleapis.com/fcm/send/abc',
  'https://updates.push.services.mozilla.com/wpush/v2/x',
  'https://93.184.215.14/x',
  'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/x',
])('%s is on the public internet', endpoint => expect(mistake(endpoint)).toBeUndefined());

test.each([
  'http://fcm.googleapis.com/x',
  'https://localhost/x',
  'https://nats:4222/x',
  'https://postgres/x',
  'https://printer.local/x',
  'https://a.internal/x',
  'https://a.localhost/x',
  'https://127.0.0.1/x',
  'https://127.1/x',
  'https://0x7f000001/x',
  'https://2130706433/x',
  'https://0/x',
  'https://10.1.2.3/x',
  'https://172.16.0.1/x',
  'https://192.168.1.1/x',
  'https://100.64.0.1/x',
  'https://169.254.169.254/latest/meta-data/',
  'https://224.0.0.1/x',
  'https://255.255.255.255/x',
  'https://[::1]/x',
  'https://[::]/x',
  'https://[::ffff:10.0.0.1]/x',
  'https://[fe80::1]/x',
  'https://[fd00::1]/x',
  'https://[64:ff9b::a00:1]/x',
  'https://[2002:a00:1::]/x',
])('%s is not', endpoint => expect(mistake(endpoint)).toEqual(expect.stringMatching(/^must be/)));

test('tests may allow this machine, and nothing else inside', () => {
  expect(addressMistake('https://127.0.0.1:1/x', true)).toBeUndefined();
  expect(addressMistake('https://localhost:1/x', true)).toBeUndefined();
  expect(addressMistake('https://10.0.0.1/x', true)).toBeDefined();
  expect(isOutside('169.254.169.254', true)).toBe(false);
});

test('the address that a name resolves to is checked when it is connected to, and so is a literal one', async () => {
  const server: Server = createServer();
  let connections = 0;
  server.on('connection', socket => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  atEnd(() => server.close());
  const { port } = server.address() as AddressInfo;
  const agent = createOutsideAgent(false);
  const codeOf = (host: string) =>
    new Promise(resolve => {
      try {
        get({ host, port, agent }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      } catch (error) {
        resolve((error as NodeJS.ErrnoException).code);
      }
    });
  expect([await codeOf('localhost'), await codeOf('127.0.0.1'), await codeOf('::1')]).toEqual([
    'EINSIDE',
    'EINSIDE',
    'EINSIDE',
  ]);
  expect(connections).toBe(0);
});
