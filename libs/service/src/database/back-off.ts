/** Remembers what failed, and leaves it alone for a while: twice as long after each failure. */
export interface BackOff {
  failed(id: string, now: number): void;
  succeeded(id: string): void;
  /** What is to be left alone now. */
  resting(now: number): string[];
}

interface BackOffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  /** How many are remembered: the one that has failed for the longest time is forgotten first, and tried again. */
  readonly mostIds: number;
}

/** In memory: after a restart each is tried once more, which is what a restart with the missing key is for. */
export function createBackOff({ firstMs, mostMs, mostIds }: BackOffOptions): BackOff {
  const failures = new Map<string, { waitMs: number; until: number }>();
  return {
    failed(id, now) {
      const before = failures.get(id);
      const waitMs = before ? Math.min(before.waitMs * 2, mostMs) : firstMs;
      failures.set(id, { waitMs, until: now + waitMs });
      const [oldest] = failures.keys();
      if (failures.size > mostIds && oldest !== undefined) failures.delete(oldest);
    },
    succeeded: id => void failures.delete(id),
    resting: now => [...failures].flatMap(([id, { until }]) => (until > now ? [id] : [])),
  };
}
