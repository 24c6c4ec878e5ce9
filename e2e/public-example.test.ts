import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { atEnd } from '../libs/service/test/kit.ts';
import { databaseOf, runningStack, secret, STACK_TIMEOUT_MS, tokenOf } from './kit.ts';

// "Complete Example" of the public document, word for word.
const COMPLETE_EXAMPLE = `
import { io } from 'socket.io-client';

const socket = io('http://localhost:5000', {
  auth: { token: accessToken },
});

// Connection
socket.on('connect', () => {
  console.log('Connected');
});

// Messages
socket.on('message:received', message => {
  displayMessage(message);
});

// Notifications
socket.on('notification:new', notification => {
  showNotification(notification);
});

// Send message
function sendMessage(recipientId, content) {
  socket.emit('message:send', { recipientId, content });
}

// Cleanup on logout
function disconnect() {
  socket.disconnect();
}
`;

/** What the example leaves to its reader: a token, a display, and who calls its functions. */
const BEFORE = `
const accessToken = process.env.ACCESS_TOKEN;
const displayMessage = message => process.send({ displayed: message });
const showNotification = notification => process.send({ shown: notification });
`;
const AFTER = `
socket.on('connect', () => process.send('connected'));
process.on('message', call => (call === 'disconnect' ? disconnect() : sendMessage(...call)));
socket.on('disconnect', () => process.disconnect());
`;

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack();
}, STACK_TIMEOUT_MS);

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** Runs the example in a process of its own, as a reader would. */
async function runExample(userId: string) {
  const example = COMPLETE_EXAMPLE.replace('http://localhost:5000', stack.gateways[0]!);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', BEFORE + example + AFTER], {
    cwd: REPOSITORY,
    env: { PATH: process.env['PATH'], ACCESS_TOKEN: tokenOf(stack, userId, { name: undefined }) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  atEnd(() => child.kill('SIGKILL'));
  expect(await once(child, 'message')).toEqual(['connected', undefined]);
  return child;
}

test('the complete example of the public document works word for word', async () => {
  const [alice, bob] = await Promise.all([runExample('alice'), runExample('dr-bob')]);
  const content = secret('Hello!');
  const displayed = once(bob, 'message');
  alice.send(['dr-bob', content]);
  const [{ displayed: message }] = (await displayed) as [{ displayed: Record<string, unknown> }];
  expect(message).toMatchObject({ senderId: 'alice', content, messageType: 'TEXT' });
  expect(new Date(message['createdAt'] as string).toISOString()).toBe(message['createdAt']);

  const { rows } = await databaseOf(stack).query('select id, sender_id, recipient_id from message');
  expect(rows).toEqual([{ id: message['id'], sender_id: 'alice', recipient_id: 'dr-bob' }]);

  for (const person of [alice, bob]) {
    const ended = once(person, 'exit');
    person.send('disconnect');
    expect(await ended).toEqual([0, null]);
  }
});
