import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { openHouse } from './kit.ts';

// CVE-2023-47090: with users outside `accounts{}`, servers before 2.9.23 let a client without credentials in.

const house = openHouse();

test.each([
  ['nobody at all', () => ({})],
  ['a user with an empty password', () => ({ user: 'developer', pass: '' })],
  ['a user with a wrong password', () => ({ user: 'developer', pass: 'password' })],
  ["a user with another's password", () => ({ user: 'developer', pass: house.nats.passwords.ops })],
  ['a user who does not exist', () => ({ user: 'admin', pass: house.nats.passwords.developer })],
  ['an account as a user', () => ({ user: 'RAPPORT', pass: '' })],
  ['the system account', () => ({ user: '$SYS', pass: '' })],
  ['a token', () => ({ token: house.nats.passwords.developer })],
])('%s is refused', async (_, who) => {
  const connecting = connect({ servers: house.nats.server, ...who(), reconnect: false });

  await expect(connecting).rejects.toMatchObject({ name: 'AuthorizationError' });
});

test.each([
  ['says nothing of who it is', 'CONNECT {"verbose":false}\r\n'],
  ['does not introduce itself', ''],
  ['names no user', 'CONNECT {"user":"","pass":""}\r\n'],
])('a bare client that %s gets no answer but the refusal', async (_, greeting) => {
  const socket = connectSocket(house.nats.port, '127.0.0.1');
  house.afterwards(() => socket.destroy());
  await once(socket, 'connect');

  // The server ends the connection; so `text` comes to an end.
  socket.write(`${greeting}SUB > 1\r\nPUB deliver.v1.user.bob.message.received 2\r\nhi\r\nPING\r\n`);
  const lines = (await text(socket)).split('\r\n').filter(line => line !== '' && !line.startsWith('INFO '));

  expect(lines).toEqual(["-ERR 'Authorization Violation'"]);
});
