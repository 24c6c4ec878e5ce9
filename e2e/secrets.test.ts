import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { storedFacts, until } from '../libs/service/test/kit.ts';
import {
  clientOf,
  connected,
  databaseOf,
  developerOf,
  emit,
  next,
  output,
  runningStack,
  secret,
  secrets,
  send,
  STACK_TIMEOUT_MS,
  tokenOf,
} from './kit.ts';

let stack: Stack;
const tokens: string[] = [];

const attachment = () => ({
  url: `https://files.example/${secret('url')}`,
  name: secret('file'),
  mimeType: 'application/pdf',
  size: 7,
});

// Everything that can happen to what people write: it is sent, repeated, refused in every way, and a service,
// NATS and PostgreSQL fail under it.
beforeAll(async () => {
  stack = await runningStack();
  const [alice, bob] = await Promise.all([connected(stack, 'alice'), connected(stack, 'bob')]);
  const received = next(bob, 'message:received');
  const first = { messageType: 'FILE', attachment: attachment(), clientMessageId: 'c-1' };
  const content = secret('content');
  const { id } = await send(alice, 'bob', content, first);
  await received;
  await send(alice, 'bob', content, first);
  await send(bob, 'alice', secret('content'), { replyToId: id });
  for (const input of [
    { recipientId: 'bob', content: secret('content'), clientMessageId: 'c-1' },
    { recipientId: 'bob', content: secret('content'), replyToId: 'not-there' },
    { recipientId: 'alice', content: secret('content') },
    { recipientId: secret('id').repeat(9), content: secret('content') },
    { recipientId: 'bob', content: secret('content').repeat(1_000) },
    { recipientId: 'bob', content: secret('content'), messageType: secret('type') },
    { recipientId: 'bob', content: secret('content'), attachment: { ...attachment(), url: secret('url') } },
    secret('content'),
  ]) {
    await emitInVain(alice, 'message:send', input);
  }
  await emitInVain(alice, `message:${secret('event')}`, { content: secret() });

  const refused = clientOf(stack, secret('user').repeat(9)).connect();
  await next(refused, 'connect_error');
  for (const token of [secret('token'), tokenOf(stack, 'alice', { exp: 1 }), `${tokenOf(stack, 'alice')}x`]) {
    tokens.push(token);
    const socket = clientOf(stack, 'alice');
    socket.auth = { token };
    socket.connect();
    await next(socket, 'connect_error');
  }

  for (const name of ['messaging-service', 'nats-server', 'postgresql']) {
    const program = stack.programs.get(name)!;
    program.kill('SIGKILL');
    const failing = Array.from({ length: 5 }, () =>
      alice.timeout(15_000).emitWithAck('message:send', { recipientId: 'bob', content: secret('content') }),
    );
    await Promise.allSettled(failing);
    await program.ready();
  }
  await until(async () => (await emit(alice, 'message:send', { recipientId: 'bob', content: secret() })).ok);
}, STACK_TIMEOUT_MS);

async function emitInVain(socket: Socket, event: string, input: unknown): Promise<void> {
  if ((await emit(socket, event, input)).ok) throw new Error(`${event} was to be refused`);
}

/** What a test of silence needs first: that it would have heard. */
const heard = (place: readonly string[] | string): boolean => place.includes('p1anted');

test('no process prints what people write, what they are called, their files or their tokens', () => {
  const lines = output();
  expect(secrets().size).toBeGreaterThan(30);
  expect(lines.filter(line => line.includes('"process":"gateway"')).length).toBeGreaterThan(3);
  expect(lines.filter(line => line.includes('"process":"messaging-service"')).length).toBeGreaterThan(3);
  expect(lines.filter(heard)).toEqual([]);
  for (const token of tokens) expect(lines.filter(line => line.includes(token.split('.').at(-1)!))).toEqual([]);
});

const IDS_NUMBERS_STATES =
  'conversationId createdAt messageId messageType recipientId senderId seq version notificationId userId readIds'.split(
    ' ',
  );

test('no outbox row and no fact says more than ids, numbers and states', async () => {
  const database = databaseOf(stack);
  await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
  const { rows } = await database.query<{ facts: { data: Record<string, unknown> }[] }>('select * from outbox');
  const written = rows.flatMap(row => row.facts);
  const facts = await storedFacts(await developerOf(stack));
  expect(facts.length).toBeGreaterThanOrEqual(written.length);
  for (const { data } of [...written, ...facts]) {
    expect(Object.keys(data).filter(field => !IDS_NUMBERS_STATES.includes(field))).toEqual([]);
  }
  expect(heard(JSON.stringify([rows, facts]))).toBe(false);
});

test('no metric has a person, an id or a text in it', async () => {
  for (const url of Object.values(stack.metrics)) {
    const metrics = await (await fetch(url)).text();
    expect(metrics).toContain('rapport_request_duration_seconds');
    expect(metrics).not.toMatch(/p1anted|alice|bob/);
  }
});

test('nothing of it is readable in any file on the disk, of NATS, PostgreSQL or anybody', async () => {
  await databaseOf(stack)
    .query('select pg_switch_wal()')
    .catch(() => undefined);
  const files = readdirSync(stack.dataDir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  const contents = files.map(file => join(file.parentPath, file.name));
  expect(contents.filter(file => file.includes('/postgres/')).length).toBeGreaterThan(100);
  expect(contents.filter(file => file.includes('/jetstream/')).length).toBeGreaterThan(0);
  // It would be heard: the ids of the people are there.
  expect(contents.some(file => read(file).includes('"senderId":"alice"'))).toBe(true);
  expect(contents.filter(file => read(file).includes('p1anted'))).toEqual([]);
});

/** A file that is removed in the meantime holds nothing. */
function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
