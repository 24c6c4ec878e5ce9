import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/nats-core';
import { FACTS_STREAM, type FactConsumer, type FactName } from '@rapport/contracts';
import { readCloudEvent, type Fact } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import { headersOf } from './header-block.ts';
import { send } from './send.ts';
import { withSpan, withTraceOf } from './trace.ts';

type Outcome = 'handled' | 'repeated';

/** Where a consumer remembers what it has handled: its own database, in the transaction of the effect. */
export interface Inbox<Transaction> {
  /** Runs `work` in a transaction unless the event was handled before; both commit, or neither does. */
  once(consumer: string, eventId: string, work: (transaction: Transaction) => Promise<void>): Promise<Outcome>;
}

/**
 * Handles facts that have come together, all in one transaction, and tells by itself, in that transaction, which of
 * them it has handled before: those have no effect.
 * @returns how many it has
 */
export type HandleTogether<N extends FactName> = (facts: readonly Fact<N>[]) => Promise<{ repeated: number }>;

export interface Consuming {
  stop(): Promise<void>;
}

/** Facts asked for ahead of the one that is being handled. */
const PREFETCH = 100;
/** As many as one transaction handles: half of what the server lets a consumer have unacknowledged. */
const TOGETHER = 2_000;
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
  const handleOnce = async (fact: Fact<N>): Promise<Outcome> => {
    const outcome = await inbox.once(consumer.durable, fact.id, transaction => handle(fact, transaction));
    await afterwards?.(fact);
    return outcome;
  };
  return follow(bus, consumer, { prefetch: PREFETCH, together: 1, everyMs: 0 }, async messages => {
    for (const message of messages) await consumeOne(bus, consumer, handleOnce, message);
  });
}

/**
 * Consumes a fact of which there are very many: those that come within `everyMs` are handled together, at most 2,000,
 * and sooner when there are as many. When that fails they are handled one at a time, so that each has an outcome of its
 * own. A row in the inbox for each would cost more than all the rest, so the handler tells repeats apart by itself.
 */
export function consumeTogether<N extends FactName>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  handle: HandleTogether<N>,
  everyMs: number,
): Consuming {
  const handleOne = async (fact: Fact<N>): Promise<Outcome> => {
    const { repeated } = await handle([fact]);
    return repeated === 0 ? 'handled' : 'repeated';
  };
  return follow(bus, consumer, { prefetch: TOGETHER, together: TOGETHER, everyMs }, async messages => {
    const failed = await consumeAll(bus, consumer, handle, messages);
    for (const message of failed) await consumeOne(bus, consumer, handleOne, message);
  });
}

/** Reads what comes to the consumer and hands it over, in its order and never more than `together`, until stopped. */
function follow(
  bus: Bus,
  consumer: FactConsumer,
  { prefetch, together, everyMs }: { prefetch: number; together: number; everyMs: number },
  handle: (messages: readonly JsMsg[]) => Promise<void>,
): Consuming {
  const stopping = new AbortController();
  const { signal } = stopping;
  let messages: ConsumerMessages | undefined;
  const waiting: JsMsg[] = [];
  let arrived = (): void => undefined;
  let full = (): void => undefined;
  let taken = (): void => undefined;

  const interrupted = (error: unknown): void =>
    bus.observer.log.warn({ consumer: consumer.durable, err: error }, 'a consumer was interrupted, trying again');

  const read = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
        messages = await durable.consume({ max_messages: prefetch });
        // `stop` may have come before there was anything to close.
        if (signal.aborted) void messages.close();
        for await (const message of messages) {
          waiting.push(message);
          arrived();
          if (waiting.length >= together) full();
          // Not read on, so that no more is asked for: what waits here no other replica gets.
          if (waiting.length >= prefetch && !signal.aborted) await new Promise<void>(resolve => (taken = resolve));
        }
      } catch (error) {
        interrupted(error);
      }
      await pause(RETRY_FIRST_MS, signal);
    }
  };
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      if (waiting.length === 0) await new Promise<void>(resolve => (arrived = resolve));
      if (waiting.length < together && everyMs > 0) {
        await Promise.race([pause(everyMs, signal), new Promise<void>(resolve => (full = resolve))]);
      }
      if (signal.aborted) return;
      const batch = waiting.splice(0, together);
      taken();
      // What was not acknowledged because the connection has gone comes again.
      await handle(batch).catch(interrupted);
    }
  };
  const [reading, working] = [read(), work()];

  return {
    async stop() {
      stopping.abort();
      arrived();
      taken();
      await working;
      // What the server has sent is let in before the subscription ends, so that it can be given back.
      await Promise.race([bus.connection.flush(), sleep(GIVE_BACK_MS, undefined, { ref: false })]).catch(
        () => undefined,
      );
      await messages?.close();
      await reading;
      // Given back only now that the subscription has ended: they would come here again. Whoever consumes
      // next gets them at once, instead of when the time to acknowledge is over.
      for (const message of waiting) message.nak();
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** @returns the messages whose transaction failed: nothing of it has happened */
async function consumeAll<N extends FactName>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  handle: HandleTogether<N>,
  messages: readonly JsMsg[],
): Promise<JsMsg[]> {
  const { observer } = bus;
  const read = messages.flatMap(message => {
    const fact = parse(bus, consumer, message);
    return fact ? [{ message, fact }] : [];
  });
  if (read.length === 0) return [];
  return withSpan(consumer.fact, async () => {
    try {
      const { repeated } = await handle(read.map(({ fact }) => fact));
      for (const { message } of read) acknowledge(bus, message);
      observer.consumed(consumer.fact, 'handled', read.length - repeated);
      observer.consumed(consumer.fact, 'repeated', repeated);
      return [];
    } catch (error) {
      observer.log.warn({ consumer: consumer.durable, facts: read.length, err: error }, 'facts failed together');
      return read.map(({ message }) => message);
    }
  });
}

/** What `ack()` of the library does, but so that all of them leave together. */
function acknowledge(bus: Bus, message: JsMsg): void {
  const { reply } = messageOf(message);
  if (reply) send(bus.connection, reply, '+ACK');
}

async function consumeOne<N extends FactName>(
  bus: Bus,
  consumer: FactConsumer & { fact: N },
  handle: (fact: Fact<N>) => Promise<Outcome>,
  message: JsMsg,
): Promise<void> {
  const { observer } = bus;
  const fact = parse(bus, consumer, message);
  if (!fact) return;
  await withTraceOf(message.headers, consumer.fact, async () => {
    try {
      const outcome = await handle(fact);
      message.ack();
      observer.consumed(consumer.fact, outcome, 1);
    } catch (error) {
      const deliveries = message.info.deliveryCount;
      observer.consumed(consumer.fact, 'failed', 1);
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
    return readCloudEvent(consumer.fact, headersOf(messageOf(message)), message.string());
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

/** The message of NATS that it is, which its type hides. */
function messageOf(message: JsMsg): Msg {
  return (message as unknown as { msg: Msg }).msg;
}

/** How many facts wait for the consumer, delivered but not yet acknowledged ones included. */
export async function consumerLag(bus: Bus, consumer: FactConsumer): Promise<number> {
  const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
  const info = await durable.info();
  return info.num_pending + info.num_ack_pending;
}
