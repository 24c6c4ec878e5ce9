import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { runningNats, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { clientWith, connect, connectedTo, refusalOf, runningGateway, SECRET, tokenFor } from './gateway-process.ts';
import type { GatewayProcess } from './gateway-process.ts';
import { inSeconds, sign, signWith } from './token.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const PEM = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();

let gateway: GatewayProcess;
let pemGateway: GatewayProcess;

beforeAll(async () => {
  const nats = await runningNats();
  [gateway, pemGateway] = await Promise.all([
    runningGateway(nats, { JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'rapport', RATE_LIMIT_BURST: '0' }),
    runningGateway(nats, { JWT_PUBLIC_KEY: PEM }),
  ]);
}, START_TIMEOUT_MS);

const RIGHT = { iss: 'https://id.example', aud: 'rapport' };
const claims = (extra: object = {}) => ({ sub: 'alice', exp: inSeconds(600), ...RIGHT, ...extra });
const signed = (extra: object) => sign(claims(extra), SECRET);
const refusal = (reason: string) => ({
  message: 'AUTHENTICATION_FAILED',
  data: { code: 'AUTHENTICATION_FAILED', reason },
});

const HOSTILE_IDS = [
  '',
  7,
  true,
  null,
  ['a'],
  {},
  '*',
  '>',
  'a.b',
  'a.>',
  'a b',
  ' a',
  'a\n',
  'a\0',
  'é',
  'x'.repeat(65),
];

describe('a handshake is refused, and the client learns why:', () => {
  test.each<[string, unknown, string]>([
    ['without a token', undefined, 'missing'],
    ['with an empty token', '', 'missing'],
    ['with null', null, 'missing'],
    ['with a number', 7, 'malformed'],
    ['with a list', [sign(claims(), SECRET)], 'malformed'],
    ['with garbage', 'garbage', 'malformed'],
    ['with 10 KB of garbage', 'x'.repeat(10_000), 'malformed'],
    ['with 10 KB between dots', `${'x'.repeat(5_000)}.${'y'.repeat(5_000)}.z`, 'malformed'],
    ['with a token of another secret', sign(claims(), 'another secret of 32 bytes at the least'), 'invalid'],
    ['with alg none', sign(claims(), '', { alg: 'none' }), 'invalid'],
    ['with HS384', sign(claims(), SECRET, { alg: 'HS384' }), 'invalid'],
    ['with HS512', sign(claims(), SECRET, { alg: 'HS512' }), 'invalid'],
    ['with an expired token', signed({ exp: inSeconds(-1) }), 'expired'],
    ['with a token without exp', signed({ exp: undefined }), 'invalid'],
    ['with a token of later', signed({ nbf: inSeconds(60) }), 'not-yet-valid'],
    ['with another issuer', signed({ iss: 'https://evil.example' }), 'invalid'],
    ['without an issuer', signed({ iss: undefined }), 'invalid'],
    ['with another audience', signed({ aud: 'other' }), 'invalid'],
    ['without an audience', signed({ aud: undefined }), 'invalid'],
    ['without a sub', signed({ sub: undefined }), 'invalid'],
  ])('%s', async (_what, token, reason) => {
    expect(await refusalOf(clientWith(gateway, token))).toEqual(refusal(reason));
  });

  test.each(HOSTILE_IDS)('with the sub %j', async sub => {
    expect(await refusalOf(clientWith(gateway, signed({ sub })))).toEqual(refusal('invalid'));
  });

  test.each(HOSTILE_IDS)('with the therapistId %j', async therapistId => {
    const token = signed({ role: 'therapist', therapistId });
    expect(await refusalOf(clientWith(gateway, token))).toEqual(refusal('invalid'));
  });

  test.each(['HS256', 'HS384', 'HS512'])('with the public key as the secret of an %s', async alg => {
    expect(await refusalOf(clientWith(pemGateway, sign(claims(), PEM, { alg })))).toEqual(refusal('invalid'));
  });
});

test('a token of the right key, issuer and audience is let in', async () => {
  const token = signed({ role: 'therapist', therapistId: 'x'.repeat(64) });
  await expect(connect(clientWith(gateway, token))).resolves.toMatchObject({ connected: true });
  const rs256 = signWith(rsa.privateKey, 'RS256', { sub: 'alice', exp: inSeconds(60) });
  await expect(connect(clientWith(pemGateway, rs256))).resolves.toMatchObject({ connected: true });
});

describe('the Authorization header', () => {
  const headed = (authorization: string, token?: string) =>
    clientWith(gateway, token, { extraHeaders: { authorization } });

  test('may carry the token, in any case', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      await expect(connect(headed(`${scheme} ${signed({})}`))).resolves.toMatchObject({ connected: true });
    }
  });

  test('is refused for the same reasons', async () => {
    expect(await refusalOf(headed(`Bearer ${signed({ exp: inSeconds(-1) })}`))).toEqual(refusal('expired'));
    expect(await refusalOf(headed('Basic YWxpY2U6eA=='))).toEqual(refusal('missing'));
    expect(await refusalOf(headed('Bearer '))).toEqual(refusal('missing'));
  });

  test('does not make up for a token of the handshake that is wrong', async () => {
    expect(await refusalOf(headed(`Bearer ${signed({})}`, 'garbage'))).toEqual(refusal('malformed'));
  });
});

test('a refusal tells nobody in the log who it was, and leaves nothing behind', async () => {
  await refusalOf(clientWith(pemGateway, tokenFor('mallory-p1anted')));
  expect(pemGateway.child.lines.filter(line => line.includes('p1anted'))).toEqual([]);
  await connectedTo(pemGateway, 'x').catch(() => undefined);
  expect(await pemGateway.metric('rapport_recipients')).toBeLessThanOrEqual(1);
  expect(await pemGateway.metric('rapport_handshakes_refused_total')).toBeGreaterThan(0);
});
