import { createPublicKey } from 'node:crypto';
import { JwksClient, type SigningKey } from 'jwks-rsa';
import { readPublicKey, type FindKey, type VerificationKey } from './verification-key.ts';

/** How long published keys are used without asking again: after a rotation the old one may be withdrawn. */
const FRESH_MS = 10 * 60 * 1_000;
/** How long they are used on while whoever publishes them cannot be asked, and how often that is tried. */
const STALE_MS = 60 * 60 * 1_000;
const STALE_RETRY_MS = 30_000;
/**
 * Between two questions. Anybody may send tokens with unknown key ids: that must neither make this gateway a
 * load on whoever publishes the keys, nor keep the tokens of others from being checked.
 */
const COOL_DOWN_MS = 5_000;
const REQUEST_TIMEOUT_MS = 5_000;

/** Keys by their ids; a token without a key id is checked with the only key, where there is only one. */
type Keys = ReadonlyMap<string | undefined, VerificationKey>;

/** The keys that are published at a URL, asked for again when they are old and when a token names an unknown one. */
export function publishedKeys(jwksUri: string): FindKey {
  // The cache and the limit of the library work per key id, and whoever sends tokens chooses those.
  const client = new JwksClient({ jwksUri, cache: false, rateLimit: false, timeout: REQUEST_TIMEOUT_MS });
  let keys: Keys = new Map();
  let freshUntil = Number.NEGATIVE_INFINITY;
  let staleUntil = Number.NEGATIVE_INFINITY;
  let askAgainAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  const askNow = async (): Promise<void> => {
    const wait = askAgainAt - performance.now();
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait));
    askAgainAt = performance.now() + COOL_DOWN_MS;
    keys = readKeys(await client.getSigningKeys());
    freshUntil = performance.now() + FRESH_MS;
    staleUntil = performance.now() + STALE_MS;
  };
  const ask = (): Promise<void> => (asking ??= askNow().finally(() => (asking = undefined)));

  return async keyId => {
    if (performance.now() >= freshUntil) {
      try {
        await ask();
      } catch (error) {
        if (performance.now() >= staleUntil) throw error;
        freshUntil = performance.now() + STALE_RETRY_MS;
      }
    }
    if (!keys.has(keyId)) await ask();
    return keys.get(keyId);
  };
}

function readKeys(published: readonly SigningKey[]): Keys {
  const readable = published.flatMap(signingKey => {
    const key = readPublicKey(createPublicKey(signingKey.getPublicKey()));
    return 'unsuitable' in key ? [] : [[signingKey.kid, key] as const];
  });
  const only = readable.length === 1 ? readable : [];
  return new Map<string | undefined, VerificationKey>([
    ...readable,
    ...only.map(([, key]) => [undefined, key] as const),
  ]);
}
