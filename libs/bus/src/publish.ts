import { jetstream } from '@nats-io/jetstream';
import { buildSubject, FACTS_STREAM, type FactData, type FactName } from '@rapport/contracts';
import { cloudEventHeaders } from './cloud-event.ts';
import type { Bus } from './connect.ts';

/**
 * Publishes a fact to the stream. The id makes a repeat harmless: the stream drops one that comes
 * within its duplicate window, consumers drop the rest.
 *
 * Resolves when the stream has stored it; everything published before over this bus has then reached
 * the server too. Rejects when the stream did not confirm in time.
 */
export async function publish<N extends FactName>(
  bus: Bus,
  fact: N,
  event: { id: string; time: Date; data: FactData<N> },
): Promise<void> {
  const headers = cloudEventHeaders(fact, event.id, event.time);
  await jetstream(bus.connection).publish(buildSubject({ family: 'fact', name: fact }), JSON.stringify(event.data), {
    msgID: event.id,
    expect: { streamName: FACTS_STREAM },
    timeout: bus.requestTimeoutMs,
    headers,
  });
}
