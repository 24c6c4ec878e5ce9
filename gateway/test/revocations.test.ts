import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { broadcast, type Bus } from '@rapport/bus';
import type { Nats } from '@rapport/local-stack';
import { runChild } from '../../libs/service/test/child.ts';
import { busAs, runningNats, START_TIMEOUT_MS, temporaryFolder, until } from '../../libs/service/test/kit.ts';
import { clientWith, connect, connectedTo, refusalOf, runningGateway, tokenFor } from './gateway-process.ts';
import { inSeconds } from './token.ts';

// Gateways without any presence service to ask.

const START_WITHOUT_LIST_MS = 60_000;

let nats: Nats;
let presence: Bus;

beforeAll(async () => {
  nats = await runningNats();
  presence = await busAs(nats, 'presence-service');
}, START_TIMEOUT_MS);

const REVOKED = { code: 'AUTHENTICATION_FAILED', reason: 'revoked' };
const issued = (userId: string, seconds: number): string => tokenFor(userId, { iat: inSeconds(seconds) });
const line = (userId: string, seconds: number): string =>
  `${JSON.stringify({ userId, revokedBefore: inSeconds(seconds) * 1_000 })}\n`;

test('a gateway takes the list from its file, whose last line may be torn', async () => {
  const path = join(temporaryFolder(), 'revocations.jsonl');
  writeFileSync(path, `${line('ann', -10)}not json\n{"userId":"*","revokedBefore":1}\n${line('ann', -20)}`);
  appendFileSync(path, '{"userId":"be');
  const gateway = await runningGateway(nats, { REVOCATIONS_PATH: path });
  expect(await refusalOf(clientWith(gateway, issued('ann', -15)))).toMatchObject({ data: REVOKED });
  await connectedTo(gateway, 'ann', { claims: { iat: inSeconds(-5) } });
  await connectedTo(gateway, 'ben', { claims: { iat: inSeconds(-60) } });
  expect(await gateway.metric('rapport_revocations')).toBe(1);
});

test('what it is told ends sockets at once, and is in the file for the next start', async () => {
  const path = join(temporaryFolder(), 'revocations.jsonl');
  writeFileSync(path, '');
  const gateway = await runningGateway(nats, { REVOCATIONS_PATH: path });
  const [old, fresh] = [
    await connectedTo(gateway, 'carl', { claims: { iat: inSeconds(-5) } }),
    await connectedTo(gateway, 'carl', { claims: { iat: inSeconds(5) } }),
  ];
  const ended = new Promise(resolve => old.once('disconnect', resolve));
  const error = new Promise(resolve => old.once('error', resolve));
  broadcast(presence, 'session.revoked', { userId: 'carl', revokedBefore: Date.now(), number: 1 });
  expect(await error).toMatchObject(REVOKED);
  expect(await ended).toBe('io server disconnect');
  expect(fresh.connected).toBe(true);
  await until(() => readFileSync(path, 'utf8').includes('"carl"'));

  const next = await runningGateway(nats, { REVOCATIONS_PATH: path });
  expect(await refusalOf(clientWith(next, issued('carl', -5)))).toMatchObject({ data: REVOKED });
});

test('a broadcast that is none is put aside', async () => {
  const gateway = await runningGateway(nats);
  for (const data of ['null', '{', '{"userId":"*","revokedBefore":1,"number":1}', '{"userId":"dora"}']) {
    presence.connection.publish('control.v1.session.revoked', data);
  }
  broadcast(presence, 'session.revoked', { userId: 'dora', revokedBefore: Date.now(), number: 1 });
  await until(async () => (await gateway.metric('rapport_revocations')) === 1);
  expect(await gateway.metric('rapport_set_aside_total')).toBe(4);
});

test(
  'with neither file nor service it lets in what was issued since it started, and sends the rest away to come again',
  async () => {
    const path = join(temporaryFolder(), 'revocations.jsonl');
    const gateway = await runningGateway(nats, { REVOCATIONS_PATH: path });
    await connect(clientWith(gateway, issued('emma', 1)));

    const early = clientWith(gateway, issued('emma', -60));
    const errors: string[] = [];
    early.on('connect_error', ({ message }) => errors.push(message));
    early.connect();
    let attempts = 0;
    early.io.on('reconnect_attempt', () => (attempts += 1));
    // Not refused for good: it goes on trying, and is told no reason to stop.
    await until(() => attempts > 1);
    expect({ isConnected: early.connected, errors }).toEqual({ isConnected: false, errors: [] });
    // What is not known is not written down as if it were.
    expect(() => readFileSync(path)).toThrow('ENOENT');
  },
  START_WITHOUT_LIST_MS,
);

test('a report that is older than what is known makes it ask for what is newer; all is read again in another database', async () => {
  // The other gateways of this file would ask, too.
  const own = await runningNats();
  const service = await busAs(own, 'presence-service');
  let database = { last: 5, reported: 4, revocations: [] as object[] };
  const asked: number[] = [];
  const answer = (call: string, dataFor: (input: { after: number }) => object): void => {
    service.connection.subscribe(`rpc.v1.gateway.${call}`, {
      queue: 'presence-service',
      callback: (_, message) => {
        const data = dataFor(message.json<{ input: { after: number } }>().input);
        message.respond(JSON.stringify({ ok: true, data }));
      },
    });
  };
  answer('session.report', () => ({ known: true, leaseMs: 250, revocation: database.reported, states: [] }));
  answer('revocation.list', ({ after }) => {
    asked.push(after);
    return { revocations: after < database.last ? database.revocations : [], last: database.last };
  });
  await service.connection.flush();
  const gateway = await runningGateway(own);
  await until(() => asked.length >= 3);
  expect(asked.slice(0, 3)).toEqual([0, 5, 5]);

  const revocations = [{ userId: 'fred', revokedBefore: Date.now(), number: 2 }];
  database = { last: 2, reported: 2, revocations };
  await until(async () => (await gateway.metric('rapport_revocations')) === 1);
  expect(asked.slice(-2)).toEqual([5, 0]);
});

test('a path that cannot be written to is a mistake of the configuration', async () => {
  const child = runChild('gateway/src/main.ts', {
    NATS_URL: nats.server,
    NATS_USER: 'gateway',
    NATS_PASSWORD: nats.passwords.gateway,
    PORT: '0',
    OPS_PORT: '0',
    JWT_SECRET: 'a secret of the tests, 32 bytes at least',
    REVOCATIONS_PATH: '/nowhere/at/all',
  });
  expect(await child.ended).toBe(78);
  expect(child.errors).toEqual([expect.stringMatching(/^gateway: REVOCATIONS_PATH is "\/nowhere\/at\/all", which/)]);
});
