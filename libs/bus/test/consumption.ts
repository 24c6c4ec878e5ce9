import { jetstreamManager, type ConsumerInfo } from '@nats-io/jetstream';
import { consume, publish, type Bus, type Consuming, type Fact, type Inbox } from '@rapport/bus';
import { headers, type MsgHdrs } from '@nats-io/nats-core';
import { CONSUMER, type House } from './kit.ts';
import { aFact } from './samples.ts';

export const FACT_SUBJECT = 'event.v1.message.sent';

type SentFact = Fact<'message.sent'>;

/** Remembers what was handled, as a service's database does: only when the work went well. */
export function memoryInbox(): Inbox<undefined> {
  const handled = new Set<string>();
  return {
    async once(consumer, eventId, work) {
      const key = `${consumer} ${eventId}`;
      if (handled.has(key)) return 'repeated';
      await work(undefined);
      handled.add(key);
      return 'handled';
    },
  };
}

/** Consumes the facts of the tests' consumer, until the test is over. */
export function consumeFacts(
  house: House,
  bus: Bus,
  handle: (fact: SentFact) => Promise<void> | void,
  inbox: Inbox<undefined> = memoryInbox(),
): Consuming {
  const consuming = consume(bus, CONSUMER, inbox, async fact => handle(fact));
  house.afterwards(() => consuming.stop());
  return consuming;
}

/** Publishes a good fact and returns it. */
export async function publishOne(bus: Bus, seq = 1): Promise<ReturnType<typeof aFact>> {
  const fact = aFact(seq);
  await publish(bus, 'message.sent', fact);
  return fact;
}

/** The headers of a good fact, for a message that is made by hand. */
export function factHeaders(changes: Readonly<Record<string, string | undefined>> = {}): MsgHdrs {
  const { id, time } = aFact();
  const good = {
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': '/messaging-service',
    'ce-type': FACT_SUBJECT,
    'ce-time': time.toISOString(),
    'content-type': 'application/json',
  };
  const made = headers();
  for (const [name, value] of Object.entries({ ...good, ...changes })) {
    if (value !== undefined) made.set(name, value);
  }
  return made;
}

/** The server tells nobody how far it is with a consumer, so it is asked until it is there. */
export async function untilConsumer(house: House, isThere: (info: ConsumerInfo) => boolean): Promise<void> {
  const manager = await jetstreamManager((await house.join('developer')).connection, { checkAPI: false });
  while (!isThere(await manager.consumers.info('EVENTS', CONSUMER.durable)));
}
