import type { KeyObject } from 'node:crypto';
import type { Algorithm } from 'jsonwebtoken';

/** A key and the algorithms that may be used with it: they follow from the key, never from a token's header. */
export interface VerificationKey {
  readonly key: KeyObject;
  readonly algorithms: Algorithm[];
}

/**
 * Finds the key for a token, by the key id in its header where there are several.
 * Resolves to `undefined` when no such key is known; rejects when the keys cannot be asked for.
 */
export type FindKey = (keyId: string | undefined) => Promise<VerificationKey | undefined>;

/** RFC 7518, section 3.3. */
const MIN_RSA_BITS = 2_048;

/** What a public key is good for, or what it is when access tokens are not signed with such a key. */
export function readPublicKey(key: KeyObject): VerificationKey | { unsuitable: string } {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < MIN_RSA_BITS) return { unsuitable: `is an RSA key of ${modulusLength} bits` };
    return { key, algorithms: ['RS256', 'PS256'] };
  }
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return { key, algorithms: ['ES256'] };
  return { unsuitable: `is of the kind ${[key.asymmetricKeyType, namedCurve].filter(Boolean).join(' ')}` };
}
