import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { atEnd } from '../../libs/service/test/kit.ts';
import { AuthenticationError, createAuthenticate, type Authenticate } from '../src/authenticate.ts';
import { createKeys } from '../src/keys.ts';
import { gatewayConfig } from './gateway-config.ts';
import { inSeconds, sign, signWith } from './token.ts';

const MINUTE = 60_000;
/** `setTimeout` and `performance` are the test's; what the network needs goes on by itself. */
const EVERYTHING_ELSE = [
  ...(['Date', 'hrtime', 'nextTick', 'queueMicrotask'] as const),
  ...(['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const),
];
const first = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const second = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let published: object[];
let status: number;
let questions: number;
let authenticate: Authenticate;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: EVERYTHING_ELSE });
  [published, status, questions] = [[jwk('one', first.publicKey)], 200, 0];
  const server = createServer((_request, response) => {
    questions += 1;
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify({ keys: published }));
  });
  atEnd(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  authenticate = createAuthenticate(createKeys(gatewayConfig({ JWKS_URI: uri })), {
    issuer: undefined,
    audience: undefined,
  });
});

afterEach(() => {
  jest.useRealTimers();
});

const jwk = (kid: string, key: KeyObject): object => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });
const claims = { sub: 'alice', exp: inSeconds(3_600) };
const token = (kid: string | undefined, key: KeyObject) => signWith(key, 'RS256', claims, { kid });

/** The user, or why the token was refused; what waits for time to pass gets it. */
async function outcome(presented: string): Promise<string> {
  let settled: string | undefined;
  void authenticate(presented).then(
    ({ actor }) => (settled = actor.userId),
    (error: unknown) => (settled = error instanceof AuthenticationError ? error.reason : 'unavailable'),
  );
  while (settled === undefined) {
    await jest.advanceTimersByTimeAsync(100);
    await new Promise(resolve => setImmediate(resolve));
  }
  return settled;
}

test('a published key is asked for once', async () => {
  for (let count = 0; count < 3; count += 1) expect(await outcome(token('one', first.privateKey))).toBe('alice');
  expect(questions).toBe(1);
});

test('after a rotation the new key holds at once, and the old one no more when it was withdrawn', async () => {
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
  published = [jwk('two', second.publicKey)];
  expect(await outcome(token('two', second.privateKey))).toBe('alice');
  expect(await outcome(token('one', first.privateKey))).toBe('invalid');
});

test('a key that was withdrawn without a successor in use is forgotten within ten minutes', async () => {
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
  published = [jwk('two', second.publicKey)];
  await jest.advanceTimersByTimeAsync(10 * MINUTE);
  expect(await outcome(token('one', first.privateKey))).toBe('invalid');
});

test('a token without a key id is checked with the only key, and with none of several', async () => {
  expect(await outcome(token(undefined, first.privateKey))).toBe('alice');
  published = [jwk('one', first.publicKey), jwk('two', second.publicKey)];
  await jest.advanceTimersByTimeAsync(10 * MINUTE);
  expect(await outcome(token(undefined, first.privateKey))).toBe('invalid');
  expect(await outcome(token('two', second.privateKey))).toBe('alice');
});

test('a key id that names another key, a secret made of the key, and a private claim on it are invalid', async () => {
  published.push(jwk('curve', curve.publicKey), { kty: 'oct', kid: 'oct', k: 'AAAA' }, { kty: 'nonsense' });
  const pem = first.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  expect(await outcome(token('one', second.privateKey))).toBe('invalid');
  expect(await outcome(token('curve', first.privateKey))).toBe('invalid');
  expect(await outcome(sign(claims, pem, { alg: 'HS256', kid: 'one' }))).toBe('invalid');
  expect(await outcome(sign(claims, 'AAAA', { alg: 'HS256', kid: 'oct' }))).toBe('invalid');
  expect(await outcome(signWith(curve.privateKey, 'ES256', claims, { kid: 'curve' }))).toBe('alice');
});

test('a flood of unknown key ids is no load on whoever publishes, and keeps nobody out', async () => {
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
  for (let minute = 0; minute < 11; minute += 1) {
    const before = questions;
    const flood = Array.from({ length: 50 }, (_, index) => outcome(token(`unknown-${index}`, second.privateKey)));
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['invalid']));
    expect(questions - before).toBeLessThanOrEqual(2);
    await jest.advanceTimersByTimeAsync(MINUTE);
    expect(await outcome(token('one', first.privateKey))).toBe('alice');
  }
});

test('while nobody publishes, known keys hold for an hour, and an unknown one is not the fault of the client', async () => {
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
  status = 500;
  expect(await outcome(token('two', second.privateKey))).toBe('unavailable');
  await jest.advanceTimersByTimeAsync(30 * MINUTE);
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
  await jest.advanceTimersByTimeAsync(40 * MINUTE);
  expect(await outcome(token('one', first.privateKey))).toBe('unavailable');
  status = 200;
  expect(await outcome(token('one', first.privateKey))).toBe('alice');
});
