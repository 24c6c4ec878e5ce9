import { consume, type Bus, type Fact } from '@rapport/bus';
import { factConsumers, type FactConsumer, type FactName, type facts, type ServiceName } from '@rapport/contracts';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { startInbox } from './inbox.ts';

/** What the service does about each fact that it consumes, in the transaction that remembers the fact. */
export type FactHandlers<S extends ServiceName> = {
  readonly [N in FactName as S extends (typeof facts)[N]['consumedBy'][number] ? N : never]: FactHandler<N>;
};

type FactHandler<N extends FactName> = (fact: Fact<N>, client: PoolClient) => Promise<void>;

/** Consumes every fact whose row in the contracts names the service, each once, until the process stops. */
export function startConsumers<S extends ServiceName>(
  options: {
    service: S;
    bus: Bus;
    pool: Pool;
    log: Logger;
    outboxRetentionHours: number;
    stopping: AbortSignal;
    onStop: (name: string, stop: () => Promise<void>) => void;
    /** Those of the contracts when left out. */
    consumers?: readonly FactConsumer[];
  },
  handlers: FactHandlers<S>,
): void {
  const { service, bus, onStop, consumers = factConsumers() } = options;
  const inbox = startInbox(options);
  const running = consumers
    .filter(consumer => consumer.service === service)
    .map(consumer => {
      // The compiler has seen that there is one for every fact, but not that this one is of this fact.
      const handle = (handlers as Partial<Record<FactName, FactHandler<FactName>>>)[consumer.fact];
      if (!handle) throw new TypeError(`${service} has no handler for ${consumer.fact}`);
      return consume(bus, consumer, inbox, handle);
    });
  onStop('consumers', async () => {
    await Promise.all(running.map(consuming => consuming.stop()));
  });
}
