import { jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { FACTS_STREAM, type FactConsumer, type FactName } from '@rapport/contracts';
import type { Fact } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import {
  consumeOne,
  giveBack,
  interrupted,
  letIn,
  pause,
  RETRY_FIRST_MS,
  type Consuming,
  type Outcome,
} from './consumption.ts';

/** Where a consumer remembers what it has handled: its own database, in the transaction of the effect. */
export interface Inbox<Transaction> {
  /** Runs `work` in a transaction unless the event was handled before; both commit, or neither does. */
  once(consumer: string, eventId: string, work: (transaction: Transaction) => Promise<void>): Promise<Outcome>;
}

/** Facts asked for ahead of the one that is being handled. */
const PREFETCH = 100;

/**
 * Consumes the facts of a durable consumer, one at a time, each once by its event id. In stream order,
 * except that one whose handler fails comes again later and does not hold up those behind it.
 * A fact that does not parse is counted, logged without its body and set aside: it stays in the stream
 * under the sequence that the log line names, and is not delivered again.
 * @param afterwards called after the commit, and for a repeat too: whoever committed may have died before it
 */
export function consume<N extends FactName, Transaction>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  inbox: Inbox<Transaction>,
  handle: (fact: Fact<N>, transaction: Transaction) => Promise<void>,
  afterwards?: (fact: Fact<N>) => Promise<void>,
): Consuming {
  const handleOnce = async (fact: Fact<N>): Promise<Outcome> => {
    const outcome = await inbox.once(consumer.durable, fact.id, transaction => handle(fact, transaction));
    await afterwards?.(fact);
    return outcome;
  };
  return follow(bus, consumer, message => consumeOne(bus, consumer, handleOnce, message));
}

/** Reads what comes to the consumer and hands it over, one after the other, until stopped. */
function follow(bus: Bus, consumer: FactConsumer, handle: (message: JsMsg) => Promise<void>): Consuming {
  const stopping = new AbortController();
  const { signal } = stopping;
  let messages: ConsumerMessages | undefined;
  const waiting: JsMsg[] = [];
  let arrived = (): void => undefined;
  let taken = (): void => undefined;

  const read = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
        messages = await durable.consume({ max_messages: PREFETCH });
        // `stop` may have come before there was anything to close.
        if (signal.aborted) void messages.close();
        for await (const message of messages) {
          waiting.push(message);
          arrived();
          // Not read on, so that no more is asked for: what waits here no other replica gets.
          if (waiting.length >= PREFETCH && !signal.aborted) await new Promise<void>(resolve => (taken = resolve));
        }
      } catch (error) {
        interrupted(bus, consumer, error);
      }
      await pause(RETRY_FIRST_MS, signal);
    }
  };
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      if (waiting.length === 0) await new Promise<void>(resolve => (arrived = resolve));
      if (signal.aborted) return;
      const message = waiting.shift();
      taken();
      // What was not acknowledged because the connection has gone comes again.
      if (message) await handle(message).catch((error: unknown) => interrupted(bus, consumer, error));
    }
  };
  const [reading, working] = [read(), work()];

  return {
    async stop() {
      stopping.abort();
      arrived();
      taken();
      await working;
      await letIn(bus);
      await messages?.close();
      await reading;
      giveBack(waiting);
    },
  };
}

/** How many facts wait for the consumer, delivered but not yet acknowledged ones included. */
export async function consumerLag(bus: Bus, consumer: FactConsumer): Promise<number> {
  const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
  const info = await durable.info();
  return info.num_pending + info.num_ack_pending;
}
