import { describe, expect, test } from '@jest/globals';
import { AuthenticationError, createAuthenticate, type Identity } from '../src/authenticate.ts';
import { createKeys } from '../src/keys.ts';
import { gatewayConfig } from './gateway-config.ts';
import { inSeconds, sign } from './token.ts';

const SECRET = 'a secret of the tests, 32 bytes at least';
const findKey = createKeys(gatewayConfig({ JWT_SECRET: SECRET }));
const authenticate = createAuthenticate(findKey, { issuer: undefined, audience: undefined });
const strict = createAuthenticate(findKey, { issuer: 'https://id.example', audience: 'rapport' });

const claims = (extra: Record<string, unknown> = {}) => ({ sub: 'alice', exp: inSeconds(60), ...extra });
const identityOf = (extra: Record<string, unknown> = {}): Promise<Identity> =>
  authenticate(sign(claims(extra), SECRET));
const actorOf = async (extra: Record<string, unknown> = {}) => (await identityOf(extra)).actor;

async function reasonOf(token: unknown, by = authenticate): Promise<string> {
  try {
    await by(token);
  } catch (error) {
    if (error instanceof AuthenticationError && error.message === 'AUTHENTICATION_FAILED') return error.reason;
    throw error;
  }
  return 'accepted';
}

const refused = (extra: Record<string, unknown>) => reasonOf(sign(claims(extra), SECRET));

describe('who somebody is', () => {
  test('follows from a token that is signed with the key', async () => {
    expect(await actorOf({ iat: inSeconds(0) })).toEqual({ userId: 'alice', role: 'client' });
  });

  test.each([
    [undefined, 'client'],
    ['client', 'client'],
    ['CLIENT', 'client'],
    ['therapist', 'therapist'],
    ['Therapist', 'therapist'],
    ['ADMIN', 'admin'],
    ['superuser', 'client'],
    [' admin', 'client'],
    ['', 'client'],
    [null, 'client'],
    [['admin'], 'client'],
    ['constructor', 'client'],
  ])('a role claim of %j is the role %s', async (role, expected) => {
    expect((await actorOf({ role })).role).toBe(expected);
  });

  test('a therapist has the room of their therapistId, and without one that of their user id', async () => {
    expect((await actorOf({ role: 'therapist', therapistId: 'dr-1' })).therapistId).toBe('dr-1');
    expect((await actorOf({ role: 'THERAPIST' })).therapistId).toBe('alice');
  });

  test.each(['client', 'admin', 'superuser'])('a %s has no therapist room, whatever the token says', async role => {
    expect(await actorOf({ role, therapistId: 'dr-1' })).not.toHaveProperty('therapistId');
  });

  test('a display name is taken when it is a text, and cut where it would burden every request', async () => {
    expect((await actorOf({ name: 'Alice' })).name).toBe('Alice');
    expect((await actorOf({ name: 'x'.repeat(10_000) })).name).toHaveLength(200);
    expect(await actorOf({ name: { toString: 'Alice' } })).not.toHaveProperty('name');
  });

  test('a display name is well-formed Unicode without NUL, wherever it is cut', async () => {
    expect((await actorOf({ name: `${'x'.repeat(199)}🫂` })).name).toBe(`${'x'.repeat(199)}🫂`);
    expect((await actorOf({ name: '🫂'.repeat(300) })).name).toBe('🫂'.repeat(200));
    expect((await actorOf({ name: 'a\ud800b\0c' })).name).toBe('a\ufffdbc');
  });

  test('nothing else of a token gets through', async () => {
    expect(Object.keys(await actorOf({ admin: true, userId: 'bob', email: 'a@example.com' }))).toEqual([
      'userId',
      'role',
    ]);
  });
});

test('a token says until when it holds, to the millisecond', async () => {
  const exp = inSeconds(60) + 0.5;
  expect((await identityOf({ exp })).expiresAt).toBe(exp * 1_000);
});

describe('where issuer and audience are configured', () => {
  const signed = (extra: object) => sign(claims({ iss: 'https://id.example', aud: 'rapport', ...extra }), SECRET);

  test.each<[object]>([[{}], [{ aud: ['other', 'rapport'] }]])('a token of both is accepted: %j', async extra => {
    expect(await reasonOf(signed(extra), strict)).toBe('accepted');
  });

  test.each<[object]>([
    [{ iss: 'https://evil.example' }],
    [{ iss: undefined }],
    [{ iss: ['https://id.example'] }],
    [{ aud: 'other' }],
    [{ aud: undefined }],
    [{ aud: [] }],
    [{ aud: { rapport: true } }],
  ])('a token with %j is invalid', async extra => {
    expect(await reasonOf(signed(extra), strict)).toBe('invalid');
  });
});

describe('a token is refused as', () => {
  test.each([[undefined], [null], ['']])('missing when it is %j', async token => {
    expect(await reasonOf(token)).toBe('missing');
  });

  test.each([
    [{ token: 'a' }],
    [7],
    ['abc'],
    ['a.b'],
    ['a.b.c'],
    ['a.b.c.d'],
    ['..'],
    [`${Buffer.from('not json').toString('base64url')}.e30.sig`],
  ])('malformed when it is %j', async token => {
    expect(await reasonOf(token)).toBe('malformed');
  });

  test('expired from the second of its exp on, without leeway', async () => {
    expect(await refused({ exp: inSeconds(-3_600) })).toBe('expired');
    expect(await refused({ exp: inSeconds(0) })).toBe('expired');
    expect(await refused({ exp: inSeconds(30) })).toBe('accepted');
  });

  test('not-yet-valid before its nbf', async () => {
    expect(await refused({ nbf: inSeconds(60) })).toBe('not-yet-valid');
    expect(await refused({ nbf: inSeconds(0) })).toBe('accepted');
  });
});

describe('a token is invalid when', () => {
  test('another secret signed it', async () => {
    expect(await reasonOf(sign(claims(), 'another secret of 32 bytes at the least'))).toBe('invalid');
  });

  test.each(['none', 'None', 'NONE', 'RS256', 'ES256', 'PS256', 'EdDSA'])('its header asks for %s', async alg => {
    expect(await reasonOf(sign(claims(), SECRET, { alg, typ: 'JWT' }))).toBe('invalid');
  });

  test.each(['HS384', 'HS512'])('it is signed with the right secret, but %s', async alg => {
    expect(await reasonOf(sign(claims(), SECRET, { alg, typ: 'JWT' }))).toBe('invalid');
  });

  test('its signature was cut off, or its claims were changed', async () => {
    const [header, body, signature] = sign(claims(), SECRET).split('.');
    const other = sign(claims({ role: 'admin' }), 'x').split('.')[1];
    expect(await reasonOf(`${header}.${body}.`)).toBe('invalid');
    expect(await reasonOf(`${header}.${other}.${signature}`)).toBe('invalid');
  });

  test.each([undefined, null, '1999999999', {}, 1e300, 8.64e12 + 1])('its exp is %j', async exp => {
    expect(await refused({ exp })).toBe('invalid');
  });

  test.each([undefined, null, '', 7, '*', '>', 'a.>', 'a.b', 'a b', 'a\n', 'é', 'x'.repeat(65), ['alice'], {}])(
    'its sub is %j',
    async sub => {
      expect(await refused({ sub })).toBe('invalid');
    },
  );

  test.each([null, '', 7, '*', 'dr.>', ['dr-1']])('its therapistId is %j', async therapistId => {
    expect(await refused({ role: 'therapist', therapistId })).toBe('invalid');
  });

  test('its claims are not an object', async () => {
    for (const body of ['text', 7, null, [1]])
      expect(['invalid', 'malformed']).toContain(await reasonOf(sign(body, SECRET)));
  });
});
