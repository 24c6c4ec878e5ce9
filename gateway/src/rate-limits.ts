import { AppError } from '@rapport/contracts';
import { TokenBucket } from 'limiter';

export interface RateLimit {
  /** Takes one token of the key. @throws AppError `RATE_LIMITED`, with the time after which there is one again */
  take(key: string): void;
  /** Takes one, or says after how many milliseconds there is one again. Costs a fraction of an error that is thrown. */
  tryTake(key: string): number | undefined;
  /** Forgets the keys whose bucket is full again: they have nothing to remember. */
  forget(): void;
}

/** @param burst tokens of a full bucket; `0` for it or for the rate turns the limit off */
export function createRateLimit(what: string, burst: number, perSecond: number): RateLimit {
  const buckets = new Map<string, TokenBucket>();
  if (burst === 0 || perSecond === 0) {
    return { take: () => undefined, tryTake: () => undefined, forget: () => undefined };
  }
  const tryTake = (key: string): number | undefined => {
    const bucket = buckets.get(key) ?? fullBucket(burst, perSecond);
    buckets.set(key, bucket);
    return bucket.tryRemoveTokens(1) ? undefined : Math.ceil(bucket.getWaitTime(1));
  };
  return {
    tryTake,
    take(key) {
      const retryAfterMs = tryTake(key);
      if (retryAfterMs !== undefined) throw new AppError('RATE_LIMITED', `too many ${what}`, { retryAfterMs });
    },
    forget() {
      for (const [key, bucket] of buckets) {
        bucket.drip();
        if (bucket.content >= burst) buckets.delete(key);
      }
    },
  };
}

function fullBucket(burst: number, perSecond: number): TokenBucket {
  const bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: perSecond, interval: 'second' });
  bucket.content = burst;
  return bucket;
}

const nothing = (): void => undefined;

export interface SocketCount {
  /** Counts a socket of the key. @returns what takes it out of the count again @throws AppError `RATE_LIMITED` */
  enter(key: string): () => void;
}

/** When a socket is refused because there are too many, another may have gone by then. */
const SOCKET_RETRY_AFTER_MS = 5_000;

/** @param most `0` turns the limit off */
export function createSocketCount(what: string, most: number): SocketCount {
  const counts = new Map<string, number>();
  if (most === 0) return { enter: () => nothing };
  return {
    enter(key) {
      const count = counts.get(key) ?? 0;
      if (count >= most) {
        throw new AppError('RATE_LIMITED', `too many sockets of this ${what}`, { retryAfterMs: SOCKET_RETRY_AFTER_MS });
      }
      counts.set(key, count + 1);
      return () => {
        const left = (counts.get(key) ?? 0) - 1;
        if (left > 0) counts.set(key, left);
        else counts.delete(key);
      };
    },
  };
}
