import { AckPolicy, DeliverPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { ANY_NAME, buildSubject, factConsumers, FACTS_STREAM, type FactConsumer } from '@rapport/contracts';
import type { Bus } from './connect.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Longer than the outbox keeps its rows by default: what is older could not be replayed anyway. */
const FACTS_KEPT_MS = 7 * DAY_MS;
const DUPLICATE_WINDOW_MS = 2 * 60 * 1_000;
/** A fact that a consumer neither acknowledged nor refused within this time comes again. */
const ACK_WAIT_MS = 30_000;
/** Twice what is handled together (`consume.ts`): as many are on their way while those are handled. */
const MAX_ACK_PENDING = 4_000;

/** Makes the stream of facts and its durable consumers, or brings them up to date. Idempotent. */
export async function provision(
  bus: Bus,
  options: { replicas: number; consumers?: readonly FactConsumer[] },
): Promise<void> {
  const manager = await jetstreamManager(bus.connection, { checkAPI: false });
  const stream = {
    name: FACTS_STREAM,
    subjects: [buildSubject({ family: 'fact', name: ANY_NAME })],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: options.replicas,
    max_age: nanos(FACTS_KEPT_MS),
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  };
  const known = await manager.streams.info(FACTS_STREAM).catch(() => undefined);
  if (known) await manager.streams.update(FACTS_STREAM, stream);
  else await manager.streams.add(stream);
  for (const { durable, fact } of options.consumers ?? factConsumers()) {
    const consumer = {
      durable_name: durable,
      filter_subject: buildSubject({ family: 'fact', name: fact }),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: MAX_ACK_PENDING,
      max_deliver: -1,
    };
    const isKnown = await manager.consumers.info(FACTS_STREAM, durable).catch(() => undefined);
    if (isKnown) await manager.consumers.update(FACTS_STREAM, durable, consumer);
    else await manager.consumers.add(FACTS_STREAM, consumer);
  }
}
