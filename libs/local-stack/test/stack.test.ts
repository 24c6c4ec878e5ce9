import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { PROCESSES, SERVICES, type ProcessName } from '@rapport/contracts';
import jwt from 'jsonwebtoken';
import { Client } from 'pg';
import { io } from 'socket.io-client';
import type { LocalJson } from '../src/local-json.ts';
import type { Stack, StackOptions } from '../src/stack-options.ts';
import { startStack } from '../src/stack.ts';
import { afterwards, isRunning, recordedOutput, temporaryFolder } from './kit.ts';

/** Every process, on two cores that other tests use too. */
const TEST_TIMEOUT_MS = 90_000;
const NO_PROCESSES = Object.fromEntries(PROCESSES.map(name => [name, 0])) as Record<ProcessName, number>;

async function running(options: StackOptions): Promise<Stack> {
  const stack = await startStack(options);
  afterwards(() => stack.stop());
  return stack;
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
}

/** Sends a message from one socket to another, and resolves to what arrives there. */
async function sendMessage(gateway: string, secret: string, content: string): Promise<unknown> {
  const [alice, bob] = ['alice', 'dr-bob'].map(subject => {
    const socket = io(gateway, { auth: { token: jwt.sign({}, secret, { subject, expiresIn: '1h' }) } });
    afterwards(() => socket.disconnect());
    return socket;
  });
  const arrived = Promise.withResolvers<unknown>();
  bob!.on('message:received', arrived.resolve);
  bob!.on('connect', () => alice!.emit('message:send', { recipientId: 'dr-bob', content }));
  return arrived.promise;
}

test(
  'everything is up, a message arrives and is stored, and local.json says where things are',
  async () => {
    const dataDir = temporaryFolder();
    const stack = await running({ dataDir });

    expect(await sendMessage(stack.gateways[0]!, stack.jwtSecret, 'Hello!')).toMatchObject({ content: 'Hello!' });
    const client = new Client({ connectionString: stack.databases['messaging-service'] });
    await client.connect();
    expect((await client.query('SELECT FROM message')).rowCount).toBe(1);
    await client.end();

    const file = join(dataDir, 'local.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const local = JSON.parse(readFileSync(file, 'utf8')) as LocalJson;
    expect(local).toEqual({
      gateway: stack.gateways[0],
      natsBackOffice: stack.nats['back-office'],
      natsOps: stack.nats.ops,
      natsDeveloper: stack.nats.developer,
      natsInboxPrefix: '_INBOX_back-office',
      postgres: stack.postgres,
      metrics: stack.metrics,
    });
    const urls = [`${local.gateway}/healthz`, `${local.gateway}/readyz`, ...Object.values(local.metrics)];
    expect(await Promise.all(urls.map(statusOf))).toEqual(urls.map(() => 200));
  },
  TEST_TIMEOUT_MS,
);

test(
  'whatever is killed comes back where it was, and a stop leaves nothing running',
  async () => {
    const output = recordedOutput();
    const dataDir = temporaryFolder();
    const stack = await running({ dataDir, output, processes: { gateway: 2 }, env: { LOG_LEVEL: 'warn' } });
    const programs = [...stack.programs.values()];
    const names = ['nats-server', 'postgresql', ...SERVICES, 'gateway-1', 'gateway-2'];
    expect(programs.map(({ name }) => name)).toEqual(names);

    for (const program of programs) program.kill('SIGKILL');
    await Promise.all(programs.map(program => program.ready()));

    for (const name of names) {
      expect(output.lines).toContainEqual(
        expect.stringMatching(`^${name} ended \\(signal SIGKILL\\), starting again in `),
      );
    }
    expect(await sendMessage(stack.gateways[1]!, stack.jwtSecret, 'Still here')).toMatchObject({
      content: 'Still here',
    });

    const pids = programs.map(({ pid }) => pid);
    await Promise.all([stack.stop(), stack.stop()]);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(join(dataDir, 'local.json'))).toBe(false);
  },
  TEST_TIMEOUT_MS,
);

test(
  'a configuration that a process refuses ends the start with its line, and nothing is left running',
  async () => {
    const output = recordedOutput();
    const dataDir = temporaryFolder();

    await expect(startStack({ dataDir, output, env: { MAX_MESSAGE_BYTES: '7' } })).rejects.toThrow(
      /^gateway ended, its configuration is wrong:\ngateway: MAX_MESSAGE_BYTES is "7", and must be /,
    );

    expect(existsSync(join(dataDir, 'lock'))).toBe(false);
    expect(existsSync(join(dataDir, 'nats', 'nats-server.pid'))).toBe(false);
    expect(output.lines.filter(line => line.includes('starting again'))).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);

test(
  'with servers of somebody else it starts none of its own',
  async () => {
    const host = await running({ dataDir: temporaryFolder(), processes: NO_PROCESSES });
    const options = { natsUrl: host.nats.provisioner, databaseUrl: host.postgres };

    const guest = await running({
      ...options,
      dataDir: temporaryFolder(),
      processes: NO_PROCESSES,
    });

    expect([...guest.programs.keys()]).toEqual([]);
    expect(guest.databases['messaging-service']).toBe(
      Object.assign(new URL(host.postgres), { pathname: '/messaging' }).href,
    );
    expect(Object.values(guest.nats)).toEqual(Object.values(guest.nats).map(() => host.nats.provisioner));
  },
  TEST_TIMEOUT_MS,
);
