import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { authenticate, AuthenticationError } from '../src/authenticate.ts';
import { inSeconds, sign } from './token.ts';

const SECRET = 'a secret of the tests, 32 bytes at least';
const KEY = createSecretKey(Buffer.from(SECRET));

const claims = (extra: Record<string, unknown> = {}) => ({ sub: 'alice', exp: inSeconds(60), ...extra });
const actorOf = (extra: Record<string, unknown> = {}) => authenticate(sign(claims(extra), SECRET), KEY);

function reasonOf(token: unknown): string {
  try {
    authenticate(token, KEY);
  } catch (error) {
    if (error instanceof AuthenticationError && error.message === 'AUTHENTICATION_FAILED') return error.reason;
    throw error;
  }
  return 'accepted';
}

const refused = (extra: Record<string, unknown>) => reasonOf(sign(claims(extra), SECRET));

describe('who somebody is', () => {
  test('follows from a token that is signed with the key', () => {
    expect(actorOf({ iat: inSeconds(0) })).toEqual({ userId: 'alice', role: 'client' });
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
  ])('a role claim of %j is the role %s', (role, expected) => {
    expect(actorOf({ role }).role).toBe(expected);
  });

  test('a therapist has the room of their therapistId, and without one that of their user id', () => {
    expect(actorOf({ role: 'therapist', therapistId: 'dr-1' }).therapistId).toBe('dr-1');
    expect(actorOf({ role: 'THERAPIST' }).therapistId).toBe('alice');
  });

  test.each(['client', 'admin', 'superuser'])('a %s has no therapist room, whatever the token says', role => {
    expect(actorOf({ role, therapistId: 'dr-1' })).not.toHaveProperty('therapistId');
  });

  test('a display name is taken when it is a text, and cut where it would burden every request', () => {
    expect(actorOf({ name: 'Alice' }).name).toBe('Alice');
    expect(actorOf({ name: 'x'.repeat(10_000) }).name).toHaveLength(200);
    expect(actorOf({ name: { toString: 'Alice' } })).not.toHaveProperty('name');
  });

  test('nothing else of a token gets through', () => {
    expect(Object.keys(actorOf({ admin: true, userId: 'bob', email: 'a@example.com' }))).toEqual(['userId', 'role']);
  });
});

describe('a token is refused as', () => {
  test.each([[undefined], [null], ['']])('missing when it is %j', token => {
    expect(reasonOf(token)).toBe('missing');
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
  ])('malformed when it is %j', token => {
    expect(reasonOf(token)).toBe('malformed');
  });

  test('expired from the second of its exp on, without leeway', () => {
    expect(refused({ exp: inSeconds(-3_600) })).toBe('expired');
    expect(refused({ exp: inSeconds(0) })).toBe('expired');
    expect(refused({ exp: inSeconds(30) })).toBe('accepted');
  });

  test('not-yet-valid before its nbf', () => {
    expect(refused({ nbf: inSeconds(60) })).toBe('not-yet-valid');
    expect(refused({ nbf: inSeconds(0) })).toBe('accepted');
  });
});

describe('a token is invalid when', () => {
  test('another secret signed it', () => {
    expect(reasonOf(sign(claims(), 'another secret of 32 bytes at the least'))).toBe('invalid');
  });

  test.each(['none', 'None', 'NONE', 'RS256', 'ES256', 'PS256', 'EdDSA'])('its header asks for %s', alg => {
    expect(reasonOf(sign(claims(), SECRET, { alg, typ: 'JWT' }))).toBe('invalid');
  });

  test.each(['HS384', 'HS512'])('it is signed with the right secret, but %s', alg => {
    expect(reasonOf(sign(claims(), SECRET, { alg, typ: 'JWT' }))).toBe('invalid');
  });

  test('its signature was cut off, or its claims were changed', () => {
    const [header, body, signature] = sign(claims(), SECRET).split('.');
    const other = sign(claims({ role: 'admin' }), 'x').split('.')[1];
    expect(reasonOf(`${header}.${body}.`)).toBe('invalid');
    expect(reasonOf(`${header}.${other}.${signature}`)).toBe('invalid');
  });

  test.each([undefined, null, '1999999999', {}])('its exp is %j', exp => {
    expect(refused({ exp })).toBe('invalid');
  });

  test.each([undefined, null, '', 7, '*', '>', 'a.>', 'a.b', 'a b', 'a\n', 'é', 'x'.repeat(65), ['alice'], {}])(
    'its sub is %j',
    sub => {
      expect(refused({ sub })).toBe('invalid');
    },
  );

  test.each([null, '', 7, '*', 'dr.>', ['dr-1']])('its therapistId is %j', therapistId => {
    expect(refused({ role: 'therapist', therapistId })).toBe('invalid');
  });

  test('its claims are not an object', () => {
    for (const body of ['text', 7, null, [1]]) expect(['invalid', 'malformed']).toContain(reasonOf(sign(body, SECRET)));
  });
});
