import { buildSubject, FACTS_STREAM, type FactData, type FactName } from '@rapport/contracts';
import { cloudEventLines } from './cloud-event.ts';
import type { Bus } from './connect.ts';
import { headerLine } from './header-block.ts';
import { publisherOf } from './publisher.ts';

const EXPECTED_STREAM = headerLine('Nats-Expected-Stream', FACTS_STREAM);

/**
 * Publishes a fact to the stream. The id makes a repeat harmless: the stream drops one that comes
 * within its duplicate window, consumers drop the rest.
 *
 * Resolves when the stream has stored it; everything published before over this bus has then reached
 * the server too. Rejects when the stream did not confirm in time.
 */
export function publish<N extends FactName>(
  bus: Bus,
  fact: N,
  event: { id: string; time: Date; data: FactData<N> },
): Promise<void> {
  const lines = cloudEventLines(fact, event.id, event.time) + headerLine('Nats-Msg-Id', event.id) + EXPECTED_STREAM;
  const subject = buildSubject({ family: 'fact', name: fact });
  return publisherOf(bus).publish(subject, JSON.stringify(event.data), lines);
}
