import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHashKey, createSeal, keyedHash, sameHash } from '../src/seal.ts';
import { newKey } from './kit.ts';

const KEY = newKey('2026-11');
const HASH_KEY = createHashKey(KEY.key);
const seal = createSeal([KEY]);
/** What Node says of GCM's tag, or of one that was cut short. */
const UNAUTHENTIC = /unable to authenticate data|Invalid authentication tag length|Invalid initialization vector/;
const SECRET = { content: 'I have not slept for a week.' };

describe('what is sealed', () => {
  test('opens to the same value, byte for byte, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (content, identity) => {
        const { sealed, keyId } = seal.close({ content }, identity);
        expect(seal.open(sealed, keyId, identity)).toEqual({ content });
      }),
    );
  });

  test('shows nothing of the value, and never looks the same twice', () => {
    const [one, other] = [seal.close(SECRET, 'c/m/0'), seal.close(SECRET, 'c/m/0')];
    expect(Buffer.from(one.sealed).includes('slept')).toBe(false);
    expect(Buffer.from(one.sealed).equals(other.sealed)).toBe(false);
    expect(one.keyId).toBe('2026-11');
  });

  test('does not open as something else', () => {
    const { sealed, keyId } = seal.close(SECRET, 'conversation/message/0');
    for (const identity of ['conversation/message/1', 'conversation/other/0', 'other/message/0', '']) {
      expect(() => seal.open(sealed, keyId, identity)).toThrow(UNAUTHENTIC);
    }
  });

  test('does not open with another key of the same name', () => {
    const { sealed, keyId } = seal.close(SECRET, 'c/m/0');
    expect(() => createSeal([newKey('2026-11')]).open(sealed, keyId, 'c/m/0')).toThrow(UNAUTHENTIC);
  });

  test('does not open with any bit changed, nor cut short, nor empty', () => {
    const { sealed, keyId } = seal.close(SECRET, 'c/m/0');
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(() => seal.open(changed, keyId, 'c/m/0')).toThrow(UNAUTHENTIC);
      expect(() => seal.open(sealed.subarray(0, index), keyId, 'c/m/0')).toThrow(UNAUTHENTIC);
    }
  });
});

describe('rotation of keys', () => {
  const next = newKey('2027-05');

  test('seals with the first key and opens with every key that is configured', () => {
    const old = seal.close(SECRET, 'c/m/0');
    const rotated = createSeal([next, KEY]);
    expect(rotated.open(old.sealed, old.keyId, 'c/m/0')).toEqual(SECRET);
    expect(rotated.close(SECRET, 'c/m/0').keyId).toBe('2027-05');
  });

  test('goes on while some replicas have only the old order', () => {
    const [before, after] = [createSeal([KEY, next]), createSeal([next, KEY])];
    const [one, other] = [before.close(SECRET, 'c/m/0'), after.close(SECRET, 'c/m/0')];
    expect(after.open(one.sealed, one.keyId, 'c/m/0')).toEqual(SECRET);
    expect(before.open(other.sealed, other.keyId, 'c/m/0')).toEqual(SECRET);
  });

  test('names the key that is missing, and nothing of the content', () => {
    const old = seal.close(SECRET, 'c/m/0');
    expect(() => createSeal([next]).open(old.sealed, old.keyId, 'c/m/0')).toThrow(
      'the content key 2026-11 is not configured',
    );
  });
});

describe('the keyed hash of a body', () => {
  test('is the same for the same parts, and another for another key or any other part', () => {
    const parts = ['bob', 'TEXT', 'Hello!', undefined, undefined];
    const hash = keyedHash(HASH_KEY, parts);
    expect(sameHash(hash, keyedHash(HASH_KEY, parts))).toBe(true);
    expect(sameHash(hash, keyedHash(createHashKey(newKey('x').key), parts))).toBe(false);
    expect(sameHash(hash, keyedHash(HASH_KEY, ['bob', 'TEXT', 'Hello', '!', undefined]))).toBe(false);
    expect(sameHash(hash, hash.subarray(1))).toBe(false);
  });
});
