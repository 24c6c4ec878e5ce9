import { jetstream, type Consumer, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { FACTS_STREAM, type FactConsumer, type FactName } from '@rapport/contracts';
import type { Fact } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import {
  consumeOne,
  giveBack,
  interrupted,
  letIn,
  messageOf,
  parse,
  pause,
  RETRY_FIRST_MS,
  type Consuming,
  type Outcome,
} from './consumption.ts';
import { send } from './send.ts';
import { withSpan } from './trace.ts';

/**
 * Handles facts that have come together, all in one transaction, and tells by itself, in that transaction, which of
 * them it has handled before: those have no effect.
 * @returns how many it has
 */
export type HandleTogether<N extends FactName> = (facts: readonly Fact<N>[]) => Promise<{ repeated: number }>;

/** As many as one transaction handles: half of what the server lets a consumer have unacknowledged. */
const TOGETHER = 2_000;
/** How long the first of a batch is waited for before it is asked for once more. */
const FIRST_WITHIN_MS = 30_000;
/** How long those are waited for that are there: another replica may have got them meanwhile. The library's least. */
const REST_WITHIN_MS = 1_000;

/**
 * Consumes a fact of which there are very many: those that come within `everyMs` after the first are handled together, at
 * most 2,000. Only then are they fetched, all at once: sent one by one as they come, each would wake the server and this
 * process. When that fails they are handled one at a time, so that each has an outcome of its own. A row in the inbox for
 * each would cost more than all the rest, so the handler tells repeats apart by itself.
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
  const handleFetched = async (messages: readonly JsMsg[]): Promise<void> => {
    const failed = await consumeAll(bus, consumer, handle, messages);
    for (const message of failed) await consumeOne(bus, consumer, handleOne, message);
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  /** What is not handled yet. */
  const fetched: JsMsg[] = [];
  let fetching: ConsumerMessages | undefined;

  const fetch = async (durable: Consumer, count: number, withinMs: number): Promise<void> => {
    fetching = await durable.fetch({ max_messages: count, expires: withinMs });
    // `stop` may have come before there was anything to close.
    if (signal.aborted) void fetching.close();
    for await (const message of fetching) fetched.push(message);
  };
  const fetchBatch = async (durable: Consumer): Promise<void> => {
    await fetch(durable, 1, FIRST_WITHIN_MS);
    const [first] = fetched;
    if (!first || signal.aborted) return;
    let rest = first.info.pending;
    if (rest < TOGETHER) {
      await pause(everyMs, signal);
      rest = (await durable.info()).num_pending;
    }
    if (rest > 0 && !signal.aborted) await fetch(durable, Math.min(rest, TOGETHER - 1), REST_WITHIN_MS);
  };
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const durable = await jetstream(bus.connection).consumers.get(FACTS_STREAM, consumer.durable);
        while (!signal.aborted) {
          await fetchBatch(durable);
          // What was not acknowledged because the connection has gone comes again.
          if (!signal.aborted) await handleFetched(fetched.splice(0, TOGETHER));
        }
      } catch (error) {
        interrupted(bus, consumer, error);
      }
      await pause(RETRY_FIRST_MS, signal);
    }
  };
  const working = work();

  return {
    async stop() {
      stopping.abort();
      await letIn(bus);
      await fetching?.close();
      await working;
      giveBack(fetched);
    },
  };
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
  send(bus.connection, messageOf(message).reply ?? '', '+ACK');
}
