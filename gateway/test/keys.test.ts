import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '@rapport/service/config';
import { AuthenticationError, createAuthenticate } from '../src/authenticate.ts';
import { createKeys } from '../src/keys.ts';
import { gatewayConfig } from './gateway-config.ts';
import { inSeconds, sign, signWith } from './token.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const claims = { sub: 'alice', exp: inSeconds(60) };

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const authenticateWith = (key: string) =>
  createAuthenticate(createKeys(gatewayConfig({ JWT_PUBLIC_KEY: key })), { issuer: undefined, audience: undefined });

function outcome(key: string, token: string): Promise<string> {
  return authenticateWith(key)(token).then(
    ({ actor }) => actor.userId,
    (error: unknown) => (error instanceof AuthenticationError ? error.reason : Promise.reject(error as Error)),
  );
}

describe('a public key accepts', () => {
  test.each(['RS256', 'PS256'] as const)('%s when it is an RSA key', async alg => {
    expect(await outcome(pem(rsa.publicKey), signWith(rsa.privateKey, alg, claims))).toBe('alice');
  });

  test('ES256 when it is an EC key', async () => {
    expect(await outcome(pem(ec.publicKey), signWith(ec.privateKey, 'ES256', claims))).toBe('alice');
  });

  test('a token with a key id, though there is only one key', async () => {
    expect(await outcome(pem(rsa.publicKey), signWith(rsa.privateKey, 'RS256', claims, { kid: 'k-1' }))).toBe('alice');
  });

  test('its text with \\n written out, as environment files hold it', async () => {
    const oneLine = pem(rsa.publicKey).replaceAll('\n', '\\n');
    expect(await outcome(oneLine, signWith(rsa.privateKey, 'RS256', claims))).toBe('alice');
  });
});

describe('a public key refuses', () => {
  test.each(['HS256', 'HS384', 'HS512'])('its own text as the secret of an %s', async alg => {
    for (const secret of [pem(rsa.publicKey), pem(rsa.publicKey).trim()]) {
      expect(await outcome(pem(rsa.publicKey), sign(claims, secret, { alg, typ: 'JWT' }))).toBe('invalid');
    }
  });

  test('no algorithm at all', async () => {
    expect(await outcome(pem(rsa.publicKey), sign(claims, '', { alg: 'none' }))).toBe('invalid');
  });

  test('another key, and another algorithm than its own', async () => {
    expect(await outcome(pem(rsa.publicKey), signWith(otherRsa.privateKey, 'RS256', claims))).toBe('invalid');
    expect(await outcome(pem(rsa.publicKey), signWith(ec.privateKey, 'ES256', claims))).toBe('invalid');
    expect(await outcome(pem(ec.publicKey), signWith(rsa.privateKey, 'RS256', claims))).toBe('invalid');
  });

  test('a key that the token brings along', async () => {
    const jwk = otherRsa.publicKey.export({ format: 'jwk' });
    const token = signWith(otherRsa.privateKey, 'RS256', claims, { jwk, jku: 'http://127.0.0.1:1/', x5c: ['x'] });
    expect(await outcome(pem(rsa.publicKey), token)).toBe('invalid');
  });
});

describe('a mistake in the configuration is one line that names JWT_PUBLIC_KEY:', () => {
  const mistakesOf = (key: string): readonly string[] => {
    try {
      createKeys(gatewayConfig({ JWT_PUBLIC_KEY: key }));
    } catch (error) {
      if (error instanceof ConfigError) return error.mistakes;
      throw error;
    }
    return [];
  };
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const garbage = '-----BEGIN PUBLIC KEY-----\ngarbage\n-----END PUBLIC KEY-----\n';

  test.each([
    ['an EC key of another curve', pem(p384.publicKey)],
    ['an Ed25519 key', pem(generateKeyPairSync('ed25519').publicKey)],
    ['an RSA key that is too short', pem(short.publicKey)],
    ['a PEM that holds garbage', garbage],
    ['a text that is no PEM', 'garbage'],
    ['a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('%s', (_what, key) => {
    const mistakes = mistakesOf(key);
    expect(mistakes).toEqual([expect.stringMatching(/^JWT_PUBLIC_KEY .*must be a public key in PEM: RSA .*EC P-256/)]);
  });

  test('a private key given by mistake is not repeated', () => {
    const key = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(mistakesOf(key).join('\n')).not.toContain(key.split('\n')[1]);
  });
});
