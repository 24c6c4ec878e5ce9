import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Nats } from '@rapport/local-stack';
import { runChild, type Child } from './child.ts';
import type { Behaviour } from './fixture-process.ts';
import { runningNats, START_TIMEOUT_MS } from './kit.ts';

let nats: Nats;

beforeAll(async () => {
  nats = await runningNats();
}, START_TIMEOUT_MS);

const FIXTURE = 'libs/service/test/fixture-process.ts';

function environment(extra: Record<string, string> = {}): Record<string, string> {
  return {
    NATS_URL: nats.server,
    NATS_USER: 'gateway',
    NATS_PASSWORD: nats.passwords.gateway,
    JWT_SECRET: 'a secret of the tests, 32 bytes at least',
    OPS_HOST: '127.0.0.1',
    OPS_PORT: '0',
    LOG_LEVEL: 'debug',
    ...extra,
  };
}

function run(behaviour: Behaviour, extra: Record<string, string> = {}): Child {
  return runChild(FIXTURE, environment(extra), [behaviour]);
}

const stepsOf = ({ lines }: Child): unknown[] =>
  lines
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .filter(line => line['msg'] === 'fixture step stopped')
    .map(line => line['step']);

describe('an orderly end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends a process with 0, last started first', async signal => {
    const child = run('plain');
    await child.logged('ready');
    child.process.kill(signal);
    await expect(child.ended).resolves.toBe(0);
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
    expect(JSON.parse(child.lines.at(-1) ?? '')).toMatchObject({ level: 'info', msg: 'stopped' });
  });

  test('the same signal again and again changes nothing', async () => {
    const child = run('plain');
    await child.logged('ready');
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM', 'SIGINT'] as const) child.process.kill(signal);
    await expect(child.ended).resolves.toBe(0);
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
  });

  test('a signal in the middle of the start ends it with 0 too', async () => {
    const child = run('starts slowly');
    await child.logged('fixture is starting');
    child.process.kill('SIGTERM');
    await expect(child.ended).resolves.toBe(0);
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
  });

  test('a signal while NATS is not there yet ends it with 0', async () => {
    const child = run('plain', { NATS_URL: 'nats://127.0.0.1:1' });
    await child.logged('NATS is not reachable, trying again');
    child.process.kill('SIGTERM');
    await expect(child.ended).resolves.toBe(0);
  });

  test('a signal while NATS is gone ends it with 0', async () => {
    const gone = await runningNats();
    const child = run('plain', { NATS_URL: gone.server, NATS_PASSWORD: gone.passwords.gateway });
    await child.logged('ready');
    await gone.process.stop();
    await child.logged('NATS connection lost, reconnecting');
    child.process.kill('SIGTERM');
    await expect(child.ended).resolves.toBe(0);
  });

  test('a process ends when the parent that holds its channel is gone', async () => {
    const child = run('plain');
    await child.logged('ready');
    child.process.disconnect();
    await expect(child.ended).resolves.toBe(0);
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
  });

  test('a process ends when its parent was gone before it had begun', async () => {
    // Runs before the fixture, and lets it begin only when the channel is broken.
    const wait = 'await(new(Promise)(go=>process.once("disconnect",go)))';
    const child = run('plain', { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(wait)}` });
    child.process.disconnect();
    await expect(child.ended).resolves.toBe(0);
    await expect(child.logged('stopping')).resolves.toMatchObject({ why: 'the parent is gone' });
  });

  test('a process without a parent on a channel runs on', async () => {
    const child = spawn(process.execPath, [FIXTURE, 'plain'], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    let output = '';
    for await (const chunk of child.stdout as AsyncIterable<string>) {
      output += chunk;
      if (output.includes('"msg":"ready"')) break;
    }
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    await expect(once(child, 'exit')).resolves.toEqual([0, null]);
  });
});

describe('an end by an error', () => {
  test.each([
    ['throws', 'thrown'],
    ['rejects', 'rejected'],
  ] as const)(
    'a process that %s where nobody catches ends with 1 and a fatal line, in order',
    async (behaviour, message) => {
      const child = run(behaviour);
      await child.logged('ready');
      child.process.kill('SIGUSR2');
      await expect(child.ended).resolves.toBe(1);
      await expect(child.logged('the process cannot go on')).resolves.toMatchObject({
        level: 'fatal',
        err: { message },
      });
      expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
    },
  );

  test('a start that fails ends with 1, a fatal line, and what had been started is stopped', async () => {
    const child = run('fails to start');
    await expect(child.ended).resolves.toBe(1);
    await expect(child.logged('the process cannot go on')).resolves.toMatchObject({ level: 'fatal' });
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
  });

  test('a stop that misses its deadline ends with 1 and says so', async () => {
    const child = run('stops too slowly', { SHUTDOWN_TIMEOUT_MS: '300' });
    await child.logged('ready');
    child.process.kill('SIGTERM');
    await expect(child.ended).resolves.toBe(1);
    await expect(child.logged('the stop missed its deadline')).resolves.toMatchObject({
      level: 'error',
      deadlineMs: 300,
    });
  });

  test('an error in the middle of an orderly stop ends with 1', async () => {
    const child = run('throws in its stop');
    await child.logged('ready');
    child.process.kill('SIGTERM');
    await expect(child.ended).resolves.toBe(1);
    expect(stepsOf(child)).toEqual(['third', 'second', 'first']);
  });

  test('a password that NATS refuses ends with 1 instead of trying for ever', async () => {
    const child = run('plain', { NATS_PASSWORD: 'p1anted-password' });
    await expect(child.ended).resolves.toBe(1);
    expect([...child.lines, ...child.errors].join('\n')).not.toContain('p1anted-password');
  });
});

describe('a configuration that is wrong', () => {
  test.each(['gateway', 'messaging-service'])('ends %s with 78 and a line for every mistake', async name => {
    const child = runChild(`${name}/src/main.ts`, {
      OPS_PORT: 'ops',
      NATS_PASSWORD: 'p1anted-password',
      LOG_LEVEL: 'x',
    });
    await expect(child.ended).resolves.toBe(78);
    expect(child.errors).toContainEqual(expect.stringMatching(new RegExp(`^${name}: OPS_PORT is "ops", and must be `)));
    expect(child.errors).toContainEqual(expect.stringMatching(new RegExp(`^${name}: NATS_USER is not set; it must `)));
    expect(child.errors.every(line => line.startsWith(`${name}: `))).toBe(true);
    expect([...child.lines, ...child.errors].join('\n')).not.toContain('p1anted-password');
  });
});
