import { consumerLag, type Bus, type BusObserver } from '@rapport/bus';
import { readSubject, type FactConsumer } from '@rapport/contracts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger } from 'pino';

/** From a millisecond to the default request time-out. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The metrics of one process. Labels are subjects, codes and names from the contracts; never an id. */
export interface Metrics {
  readonly registry: Registry;
  /** A gauge whose value is asked for whenever the metrics are read. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
  counter<Label extends string>(name: string, help: string, labelNames?: readonly Label[]): Counter<Label>;
}

export function createMetrics(log: Logger): Metrics {
  const registry = new Registry();
  // Memory, CPU, garbage collection and event-loop lag.
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        registers: [registry],
        async collect() {
          try {
            gauge.set(await read());
          } catch (error) {
            // A scrape must not fail because one thing cannot be asked; a stale value would mislead.
            gauge.remove();
            log.warn({ metric: name, err: error }, 'a metric could not be read');
          }
        },
      });
    },
    counter: (name, help, labelNames = []) =>
      new Counter({ name, help, labelNames: [...labelNames], registers: [registry] }),
  };
}

interface Observing {
  observe(seconds: number): void;
}
/** By code. */
type BySubject = Map<string, Observing>;

/** Counts and logs what happens on the bus. */
export function observeBus(metrics: Metrics, log: Logger, fatal: (error: Error) => void): BusObserver {
  const requests = new Histogram({
    name: 'rapport_request_duration_seconds',
    help: 'Requests by subject and resulting code, as made (side=client) and as answered (side=server).',
    labelNames: ['side', 'subject', 'code'],
    buckets: SECONDS,
    registers: [metrics.registry],
  });
  const setAside = metrics.counter('rapport_set_aside_total', 'Messages that did not parse and were put aside.', [
    'family',
  ]);
  const consumed = metrics.counter('rapport_facts_consumed_total', 'Facts consumed, by outcome.', ['fact', 'outcome']);
  // A look-up by three labels costs more than the observation; there are as many as subjects and codes.
  const known = { client: new Map<string, BySubject>(), server: new Map<string, BySubject>() };
  const observe = (side: 'client' | 'server', subject: string, code: string, seconds: number): void => {
    const bySubject = known[side].get(subject) ?? new Map<string, Observing>();
    known[side].set(subject, bySubject);
    const labelled = bySubject.get(code) ?? requests.labels({ side, subject, code });
    bySubject.set(code, labelled);
    labelled.observe(seconds);
  };
  return {
    log,
    requestEnded: (subject, code, seconds) => observe('client', subject, code, seconds),
    answerEnded: (subject, code, seconds) => observe('server', subject, code, seconds),
    setAside: subject => setAside.inc({ family: readSubject(subject)?.family ?? 'unknown' }),
    consumed: (fact, outcome, count) => consumed.inc({ fact, outcome }, count),
    fatal,
  };
}

/** How far each durable consumer of this process is behind the stream. */
export function observeConsumers(metrics: Metrics, bus: Bus, log: Logger, consumers: readonly FactConsumer[]): void {
  const gauge: Gauge<'consumer'> = new Gauge({
    name: 'rapport_consumer_lag',
    help: 'Facts that wait for a durable consumer, those under way included.',
    labelNames: ['consumer'],
    registers: [metrics.registry],
    async collect() {
      gauge.reset();
      for (const consumer of consumers) {
        try {
          gauge.set({ consumer: consumer.durable }, await consumerLag(bus, consumer));
        } catch (error) {
          log.warn({ consumer: consumer.durable, err: error }, 'the lag of a consumer could not be read');
        }
      }
    },
  });
}
