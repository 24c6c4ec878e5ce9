import { ECDH } from 'node:crypto';
import type { UserRequest } from '@rapport/bus';
import { invalidPayload } from '@rapport/contracts';
import { newId } from '@rapport/service';
import { inTransaction } from '@rapport/service/database';
import { keyedHash, type Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import { addressMistake } from './outside-addresses.ts';
import { browserOf, type Browser } from './push-subscription.ts';

interface SubscribeOptions {
  pool: Pool;
  seal: Seal;
  hashKey: string;
  allowLoopback: boolean;
}

/** A person has a few browsers; the oldest beyond these goes. */
const MAX_BROWSERS = 20;

/**
 * Notifies this browser of the caller. An endpoint belongs to whoever subscribed it last: a browser that somebody
 * else has signed in to must not show the notifications of the one before.
 */
export function createSubscribePush({ pool, seal, hashKey, allowLoopback }: SubscribeOptions) {
  return async ({ actor, input }: UserRequest<'push:subscribe'>): Promise<Record<string, never>> => {
    const { endpoint, keys } = input;
    const mistake = addressMistake(endpoint, allowLoopback);
    if (mistake) throw invalidPayload({ path: 'endpoint', message: mistake });
    if (!isPublicKey(keys.p256dh)) throw invalidPayload({ path: 'keys.p256dh', message: 'must be a point of P-256' });
    const id = newId();
    const browser: Browser = { endpoint, keys };
    const { sealed, keyId } = seal.close(browser, browserOf(id));
    const hash = hashEndpoint(hashKey, endpoint);
    await inTransaction(pool, async client => {
      // Not an update: what waits for the one before must not go out to the one who is there now.
      await client.query('delete from push_subscription where endpoint_hash = $1', [hash]);
      await client.query(
        `insert into push_subscription (id, user_id, endpoint_hash, sealed, key_id, created_at)
         values ($1, $2, $3, $4, $5, now())
         on conflict (endpoint_hash) do update
           set id = excluded.id, user_id = excluded.user_id, sealed = excluded.sealed, key_id = excluded.key_id,
               created_at = excluded.created_at`,
        [id, actor.userId, hash, sealed, keyId],
      );
      await client.query(
        `delete from push_subscription where id in (
           select id from push_subscription where user_id = $1 order by created_at desc, id desc offset $2)`,
        [actor.userId, MAX_BROWSERS],
      );
    });
    return {};
  };
}

export function createUnsubscribePush({ pool, hashKey }: Pick<SubscribeOptions, 'pool' | 'hashKey'>) {
  return async ({ actor, input }: UserRequest<'push:unsubscribe'>): Promise<Record<string, never>> => {
    await pool.query('delete from push_subscription where endpoint_hash = $1 and user_id = $2', [
      hashEndpoint(hashKey, input.endpoint),
      actor.userId,
    ]);
    return {};
  };
}

function hashEndpoint(key: string, endpoint: string): Buffer {
  return keyedHash(key, ['endpoint', endpoint]);
}

function isPublicKey(base64url: string): boolean {
  try {
    return ECDH.convertKey(base64url, 'prime256v1', 'base64url', 'hex', 'uncompressed') !== '';
  } catch {
    return false;
  }
}
