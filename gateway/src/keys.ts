import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { Config } from '@rapport/contracts';
import { ConfigError } from '@rapport/service/config';
import { publishedKeys } from './published-keys.ts';
import { readPublicKey, type FindKey, type VerificationKey } from './verification-key.ts';

/**
 * The key or keys that access tokens are checked with, as configured.
 * @throws ConfigError when the public key is none that access tokens are signed with
 */
export function createKeys(config: Config<'gateway'>): FindKey {
  if (config.JWKS_URI !== undefined) return publishedKeys(config.JWKS_URI);
  const only = config.JWT_SECRET === undefined ? pemKey(config.JWT_PUBLIC_KEY ?? '') : secretKey(config.JWT_SECRET);
  return () => Promise.resolve(only);
}

// Made once: verifying with the secret as a string would be 42 times slower.
function secretKey(secret: string): VerificationKey {
  return { key: createSecretKey(Buffer.from(secret)), algorithms: ['HS256'] };
}

function pemKey(pem: string): VerificationKey {
  const read = readPublicKey(parsePem(pem));
  if ('unsuitable' in read) throw mistake(read.unsuitable);
  return read;
}

function parsePem(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw mistake('cannot be read');
  }
}

function mistake(what: string): ConfigError {
  return new ConfigError([
    `JWT_PUBLIC_KEY ${what}; it must be a public key in PEM: RSA (2,048 bits or more) or EC P-256.`,
  ]);
}
