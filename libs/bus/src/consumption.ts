import { setTimeout as sleep } from 'node:timers/promises';
import type { JsMsg } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/nats-core';
import { FACTS_STREAM, type FactConsumer, type FactName } from '@rapport/contracts';
import { readCloudEvent, type Fact } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import { headersOf } from './header-block.ts';
import { withTraceOf } from './trace.ts';

// What consuming facts one at a time and many together have in common.

export type Outcome = 'handled' | 'repeated';

export interface Consuming {
  stop(): Promise<void>;
}

/** After a failure a fact comes again after 1, 2, 4 … 30 s, for as long as it takes: a fact is never dropped. */
export const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;
/** How long a stop waits for facts that are on their way here; without NATS nothing is. */
const GIVE_BACK_MS = 500;

/** Handles a fact, and tells the stream what has become of it. */
export async function consumeOne<N extends FactName>(
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

/** @returns `undefined` when the message is no such fact, and was set aside */
export function parse<N extends FactName>(
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
export function messageOf(message: JsMsg): Msg {
  return (message as unknown as { msg: Msg }).msg;
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

export function interrupted(bus: Bus, consumer: FactConsumer, error: unknown): void {
  bus.observer.log.warn({ consumer: consumer.durable, err: error }, 'a consumer was interrupted, trying again');
}

/** What the server has sent is let in before a subscription ends, so that it can be given back. */
export async function letIn(bus: Bus): Promise<void> {
  await Promise.race([bus.connection.flush(), sleep(GIVE_BACK_MS, undefined, { ref: false })]).catch(() => undefined);
}

/**
 * Gives back what was not handled, once the subscription has ended: before, it would come here again. Whoever consumes
 * next gets it at once, instead of when the time to acknowledge is over.
 */
export function giveBack(messages: readonly JsMsg[]): void {
  for (const message of messages) message.nak();
}
