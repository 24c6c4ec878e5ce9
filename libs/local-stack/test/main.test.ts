import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { PROCESSES } from '@rapport/contracts';
import { Client } from 'pg';
import type { LocalJson } from '../src/local-json.ts';
import { eachLine } from '../src/output.ts';
import { inherited } from '../src/process-environment.ts';
import { afterwards, isRunning, temporaryFolder } from './kit.ts';

// `npm start` without npm: what happens to the process that holds everything together.

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const TEST_TIMEOUT_MS = 90_000;

interface Started {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when the last line of the greeting is there, or the process has ended. */
  readonly greeted: Promise<void>;
  readonly ended: Promise<number | null>;
}

function start(dataDir: string, ports: { PORT?: string; NATS_PORT?: string; POSTGRES_PORT?: string } = {}): Started {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...inherited,
      PORT: '0',
      NATS_PORT: '0',
      POSTGRES_PORT: '0',
      ...ports,
      DATA_DIR: dataDir,
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const greeted = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    eachLine(stream, line => {
      lines.push(line);
      if (line === 'END') greeted.resolve();
    });
  }
  const ended = once(child, 'close').then(([code]) => {
    greeted.resolve();
    return code as number | null;
  });
  afterwards(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return { child, lines, greeted: greeted.promise, ended };
}

function readLocalJson(dataDir: string): LocalJson {
  return JSON.parse(readFileSync(join(dataDir, 'local.json'), 'utf8')) as LocalJson;
}

const portOf = (url: string): string => new URL(url).port;

/** The processes of a stack, as it wrote them down for its successor. */
function pidsOf(dataDir: string): number[] {
  return ['nats/nats-server.pid', 'postgres/data/postmaster.pid', ...PROCESSES.map(name => `run/${name}.pid`)].map(
    file => Number.parseInt(readFileSync(join(dataDir, file), 'utf8'), 10),
  );
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test(
  'Ctrl-C, which comes twice, ends everything in good order, and the greeting said where it was',
  async () => {
    const dataDir = temporaryFolder();
    const { child, lines, greeted, ended } = start(dataDir);
    await greeted;
    const local = readLocalJson(dataDir);
    const pids = pidsOf(dataDir);
    expect(pids.filter(isRunning)).toEqual(pids);
    const text = lines.join('\n');
    for (const said of [
      local.gateway,
      `${local.gateway}/readyz`,
      local.natsDeveloper,
      local.postgres,
      'alice',
      'dr-bob',
    ]) {
      expect(text).toContain(said);
    }

    const from = performance.now();
    child.kill('SIGINT');
    child.kill('SIGINT');

    expect(await ended).toBe(0);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(pids.filter(isRunning)).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);

test(
  'after a kill -9 of the stack itself the next start just works, on the same ports and with the same data',
  async () => {
    const dataDir = temporaryFolder();
    const first = start(dataDir);
    await first.greeted;
    const before = readLocalJson(dataDir);
    await query(before.postgres, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pids = pidsOf(dataDir);

    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const ports = {
      PORT: portOf(before.gateway),
      NATS_PORT: portOf(before.natsOps),
      POSTGRES_PORT: portOf(before.postgres),
    };
    const second = start(dataDir, ports);
    await second.greeted;

    expect(second.lines.join('\n')).toContain('ended a PostgreSQL that was left running');
    const { metrics: _metrics, ...places } = before;
    expect(readLocalJson(dataDir)).toMatchObject(places);
    expect(await query(before.postgres, 'SELECT answer FROM kept')).toEqual([42]);
    expect(pids.filter(isRunning)).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);

test(
  'a second one on the same folder says so and ends, as does one whose port is taken',
  async () => {
    const dataDir = temporaryFolder();
    const first = start(dataDir);
    await first.greeted;
    const { gateway } = readLocalJson(dataDir);

    const second = start(dataDir);
    expect(await second.ended).toBe(1);
    expect(second.lines).toEqual([
      `A stack is already running on ${dataDir} (process ${first.child.pid}): stop it, or set DATA_DIR to another folder.`,
    ]);

    const third = start(temporaryFolder(), { PORT: portOf(gateway) });
    expect(await third.ended).toBe(1);
    expect(third.lines).toEqual([
      `Port ${portOf(gateway)} is taken: set PORT to another one, or to 0 for any free one.`,
    ]);
  },
  TEST_TIMEOUT_MS,
);

test('every mistake of the configuration is a line, and nothing is started', async () => {
  const { lines, ended } = start(temporaryFolder(), { PORT: 'five', NATS_PORT: '99999' });

  expect(await ended).toBe(78);
  expect(lines).toEqual([expect.stringMatching(/^PORT is "five", /), expect.stringMatching(/^NATS_PORT is "99999", /)]);
});
