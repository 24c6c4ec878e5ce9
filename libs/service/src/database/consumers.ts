import {
  consume,
  consumeTogether,
  type Bus,
  type Consuming,
  type Fact,
  type HandleTogether,
  type Inbox,
} from '@rapport/bus';
import { factConsumers, type FactConsumer, type FactName, type facts, type ServiceName } from '@rapport/contracts';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { startInbox } from './inbox.ts';

/** What the service does about each fact that it consumes, in the transaction that remembers the fact. */
export type FactHandlers<S extends ServiceName> = {
  readonly [N in FactName as S extends (typeof facts)[N]['consumedBy'][number] ? N : never]: FactHandler<N>;
};

type FactHandler<N extends FactName> = Handle<N> | Keeping<N> | Together<N>;

/** What it resolves to, if anything, is called after the commit: to tell sockets what has changed. */
type Handle<N extends FactName> = (fact: Fact<N>, client: PoolClient) => Promise<AfterCommit | void>;
type AfterCommit = () => void;

interface Keeping<N extends FactName> {
  readonly keep: (fact: Fact<N>, client: PoolClient) => Promise<void>;
  /** After the commit, and for a repeat too, so that nothing is untold when a process dies between: tells how things are. */
  readonly tell: (fact: Fact<N>) => Promise<void>;
}

/**
 * For a fact of which there are very many: those that come within `everyMs` are handled together, in a transaction that
 * tells by what it writes which of them had their effect before. None is remembered by its id.
 */
interface Together<N extends FactName> {
  readonly together: HandleTogether<N>;
  readonly everyMs: number;
}

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
      const handler = (handlers as Partial<Record<FactName, FactHandler<FactName>>>)[consumer.fact];
      if (!handler) throw new TypeError(`${service} has no handler for ${consumer.fact}`);
      if (typeof handler === 'function') return consumeThenTell(bus, consumer, inbox, handler);
      if ('keep' in handler) return consume(bus, consumer, inbox, handler.keep, handler.tell);
      return consumeTogether(bus, consumer, handler.together, handler.everyMs);
    });
  onStop('consumers', async () => {
    await Promise.all(running.map(consuming => consuming.stop()));
  });
}

/** A consumer handles one fact at a time, so what follows its commit is at most one thing. */
function consumeThenTell(
  bus: Bus,
  consumer: FactConsumer,
  inbox: Inbox<PoolClient>,
  handle: Handle<FactName>,
): Consuming {
  const committed: { tell: AfterCommit } = { tell: nothing };
  const telling: Inbox<PoolClient> = {
    ...inbox,
    async once(name, eventId, work) {
      committed.tell = nothing;
      const outcome = await inbox.once(name, eventId, work);
      committed.tell();
      return outcome;
    },
  };
  return consume(bus, consumer, telling, async (fact, client) => {
    committed.tell = (await handle(fact, client)) ?? nothing;
  });
}

const nothing = (): void => undefined;
