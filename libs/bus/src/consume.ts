import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { FACTS_STREAM, type FactConsumer, type FactName } from '@rapport/contracts';
import { readCloudEvent, type Fact } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import { withTraceOf } from './trace.ts';

/** Where a consumer remembers what it has handled: its own database, in the transaction of the effect. */
export interface Inbox<Transaction> {
  /** Runs `work` in a transaction unless the event was handled before; both commit, or neither does. */
  once(
    consumer: string,
    eventId: string,
    work: (transaction: Transaction) => Promise<void>,
  ): Promise<'handled' | 'repeated'>;
}

export interface Consuming {
  stop(): Promise<void>;
}

/** Facts asked for ahead of the one that is being handled. */
const PREFETCH = 100;
/** After a failure a fact comes again after 1, 2, 4 … 30 s, for as long as it takes: a fact is never dropped. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;
/** How long a stop waits for facts that are on their way here; without NATS nothing is. */
const GIVE_BACK_MS = 500;

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
  const stopping = new AbortController();
  let messages: ConsumerMessages | undefined;

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
        messages = await durable.consume({ max_messages: PREFETCH });
        // `stop` may have come before there was anything to close.
        if (stopping.signal.aborted) void messages.close();
        const notBegun: JsMsg[] = [];
        for await (const message of messages) {
          if (stopping.signal.aborted) notBegun.push(message);
          else await consumeOne(bus, consumer, inbox, handle, afterwards, message);
        }
        // Given back only now that the subscription has ended: they would come here again. Whoever consumes
        // next gets them at once, instead of when the time to acknowledge is over.
        for (const message of notBegun) message.nak();
      } catch (error) {
        bus.observer.log.warn({ consumer: consumer.durable, err: error }, 'a consumer was interrupted, trying again');
      }
      await sleep(RETRY_FIRST_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const ended = run();

  return {
    async stop() {
      stopping.abort();
      // What the server has sent is let in before the subscription ends, so that it can be given back.
      await Promise.race([bus.connection.flush(), sleep(GIVE_BACK_MS)]).catch(() => undefined);
      await messages?.close();
      await ended;
    },
  };
}

async function consumeOne<N extends FactName, Transaction>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  inbox: Inbox<Transaction>,
  handle: (fact: Fact<N>, transaction: Transaction) => Promise<void>,
  afterwards: ((fact: Fact<N>) => Promise<void>) | undefined,
  message: JsMsg,
): Promise<void> {
  const { observer } = bus;
  const fact = parse(bus, consumer, message);
  if (!fact) return;
  await withTraceOf(message.headers, consumer.fact, async () => {
    try {
      const outcome = await inbox.once(consumer.durable, fact.id, transaction => handle(fact, transaction));
      await afterwards?.(fact);
      message.ack();
      observer.consumed(consumer.fact, outcome);
    } catch (error) {
      const deliveries = message.info.deliveryCount;
      observer.consumed(consumer.fact, 'failed');
      observer.log.error({ consumer: consumer.durable, event: fact.id, deliveries, err: error }, 'a fact failed');
      message.nak(Math.min(RETRY_FIRST_MS * 2 ** (deliveries - 1), RETRY_LAST_MS));
    }
  });
}

function parse<N extends FactName>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  message: JsMsg,
): Fact<N> | undefined {
  try {
    return readCloudEvent(consumer.fact, message.headers, message.string());
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    bus.observer.setAside(message.subject);
    bus.observer.log.error(
      { consumer: consumer.durable, stream: FACTS_STREAM, sequence: message.seq, reason },
      'a fact does not parse and was set aside',
    );
    // Without the reason: nats-server before 2.10.4 does not understand a `+TERM` that has one, and would send it again.
    message.term();
    return undefined;
  }
}

/** How many facts wait for the consumer, delivered but not yet acknowledged ones included. */
export async function consumerLag(bus: Bus, consumer: FactConsumer): Promise<number> {
  const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
  const info = await durable.info();
  return info.num_pending + info.num_ack_pending;
}
