import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BUS_USERS, type BusUser } from '@rapport/contracts';
import { closeBus, connectBus } from '@rapport/bus';
import { accessToOwn, observe, provisionBus } from '../src/bus-access.ts';
import { startNats, type Nats, type NatsOptions } from '../src/nats.ts';
import { SILENT } from '../src/output.ts';
import { afterwards, isRunning, recordedOutput, temporaryFolder } from './kit.ts';

async function running(options: NatsOptions): Promise<Nats> {
  const nats = await startNats(options);
  afterwards(() => nats.process.stop());
  return nats;
}

/** What the server answers to a request of a user: `undefined` credentials are none at all. */
async function ask(nats: Nats, as: BusUser, subject: string, password?: string): Promise<unknown> {
  const credentials = password === undefined ? {} : { user: as, password };
  const options = { servers: nats.server, as, ...credentials, requestTimeoutMs: 5_000, observer: observe(SILENT) };
  const bus = await connectBus(options);
  try {
    return (await bus.connection.request(subject)).json();
  } finally {
    await closeBus(bus);
  }
}

async function streams(nats: Nats): Promise<unknown> {
  return ask(nats, 'developer', '$JS.API.STREAM.NAMES', nats.passwords.developer);
}

test('each user has a password of its own, and nobody connects without one', async () => {
  const nats = await running({ dir: temporaryFolder() });

  expect(Object.keys(nats.passwords)).toEqual(BUS_USERS);
  expect(new Set(Object.values(nats.passwords)).size).toBe(BUS_USERS.length);
  expect(await streams(nats)).toMatchObject({ total: 0 });
  await expect(ask(nats, 'developer', '$JS.API.INFO', nats.passwords.gateway)).rejects.toThrow(/authorization/i);
  await expect(ask(nats, 'developer', '$JS.API.INFO')).rejects.toThrow(/authorization/i);
});

test('after kill -9 it comes back by itself, on its port and with its streams, and a line says so', async () => {
  const output = recordedOutput();
  const nats = await running({ dir: temporaryFolder(), output });
  await provisionBus(accessToOwn(nats).provisioner, SILENT, {});
  const { pid } = nats.process;

  nats.process.kill('SIGKILL');
  await nats.process.ready();

  expect(nats.process.pid).not.toBe(pid);
  expect(await streams(nats)).toMatchObject({ streams: ['EVENTS'] });
  expect(output.lines).toEqual([
    expect.stringMatching(/^nats-server ended \(signal SIGKILL\), starting again in 0\.\d s$/),
  ]);
});

test('a stop leaves no process behind, and a second start finds the data and the passwords', async () => {
  const dir = temporaryFolder();
  const first = await running({ dir });
  await provisionBus(accessToOwn(first).provisioner, SILENT, {});
  const { pid } = first.process;

  await first.process.stop();
  expect(isRunning(pid)).toBe(false);

  const second = await running({ dir });
  expect(second.passwords).toEqual(first.passwords);
  expect(await streams(second)).toMatchObject({ streams: ['EVENTS'] });
});

test('its passwords are in files that only their owner reads', async () => {
  const dir = temporaryFolder();
  await running({ dir });

  for (const file of ['secrets.json', 'nats/nats-server.conf']) {
    expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
  }
});

test('a port that is taken is said in a line that names the variable', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  afterwards(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };

  await expect(startNats({ dir: temporaryFolder(), port })).rejects.toThrow(
    `Port ${port} is taken: set NATS_PORT to another one, or to 0 for any free one.`,
  );
});

test('a NATS_SERVER that cannot be run is said in a line that names it', async () => {
  const dir = temporaryFolder();

  await expect(startNats({ dir, env: { NATS_SERVER: dir } })).rejects.toThrow(`NATS_SERVER names ${dir}, which is not`);
});
