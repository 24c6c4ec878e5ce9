import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { randomBytes } from '@rapport/bus';

export interface ContentKey {
  readonly id: string;
  /** 32 bytes in base64. */
  readonly key: string;
}

interface Sealed {
  readonly sealed: Uint8Array;
  readonly keyId: string;
}

/** Encrypts what people write before it reaches the database. */
export interface Seal {
  /** The key that encrypts. */
  readonly currentKeyId: string;
  /** @param identity what the value belongs to; opening needs the same */
  close(value: unknown, identity: string): Sealed;
  /** @throws when the key is not configured, or value or identity are not what was sealed */
  open(sealed: Uint8Array, keyId: string, identity: string): unknown;
}

const ALGORITHM = 'aes-256-gcm';
/** 96 bits: the nonce size for which GCM is specified; random, so at most 2^32 values per key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM with a fresh nonce for every value. Stored as nonce, tag, ciphertext.
 * @param keys the first encrypts, all of them decrypt
 */
export function createSeal(keys: readonly ContentKey[]): Seal {
  const [current] = keys;
  if (!current) throw new Error('at least one content key is needed');
  const byId = new Map(keys.map(({ id, key }) => [id, createSecretKey(key, 'base64')]));
  const keyOf = (id: string): KeyObject => {
    const key = byId.get(id);
    if (!key) throw new Error(`the content key ${id} is not configured`);
    return key;
  };
  return {
    currentKeyId: current.id,
    close(value, identity) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, keyOf(current.id), nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(identity));
      const ciphertext = cipher.update(JSON.stringify(value), 'utf8');
      // Nothing is left for it: GCM encrypts byte by byte. It makes the tag.
      cipher.final();
      return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]), keyId: current.id };
    },
    open(sealed, keyId, identity) {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, keyOf(keyId), nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(identity));
      decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const ciphertext = sealed.subarray(NONCE_BYTES + TAG_BYTES);
      return JSON.parse(Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8'));
    },
  };
}

/** A key for `keyedHash`, made once: where there are many hashes, to read the base64 each time costs more than they do. */
export function createHashKey(key: string): KeyObject {
  return createSecretKey(key, 'base64');
}

/** A keyed hash: without the key, a short text cannot be found by trying. */
export function keyedHash(key: KeyObject | string, parts: readonly unknown[]): Buffer {
  const secret = typeof key === 'string' ? createHashKey(key) : key;
  return createHmac('sha256', secret).update(JSON.stringify(parts)).digest();
}

export function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
