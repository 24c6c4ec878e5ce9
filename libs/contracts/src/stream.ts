import { facts, type FactName } from './table.ts';
import type { ServiceName } from './processes.ts';

/** The one JetStream stream, of all facts. */
export const FACTS_STREAM = 'EVENTS';

/** One durable consumer per subject filter: `filter_subjects` needs nats-server 2.10, and Debian has 2.9.10. */
export interface FactConsumer {
  readonly durable: string;
  readonly fact: FactName;
  readonly service: ServiceName;
}

/** `notification-service` and `message.sent` → `notification-service_message-sent`. */
export function durableName(service: ServiceName, fact: FactName): string {
  return `${service}_${fact.replace('.', '-')}`;
}

/** Every durable consumer that the table asks for. */
export function factConsumers(): FactConsumer[] {
  return (Object.keys(facts) as FactName[]).flatMap(fact =>
    facts[fact].consumedBy.map((service: ServiceName) => ({ durable: durableName(service, fact), fact, service })),
  );
}
