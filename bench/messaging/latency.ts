import { startChild } from '../child/start-child.ts';
import type { PairsCommands } from '../load/pairs-process.ts';
import { alternate } from '../measure/alternate.ts';
import type { Comparison, Findings, Observation } from '../measure/comparison.ts';
import { percentile } from '../measure/statistics.ts';
import { startMonolith, startProduct, type Ground, type Server } from './servers.ts';

export interface LatencyOptions {
  /** People, two to a pair. */
  readonly connected: number;
  /** Messages a second of all of them together. */
  readonly messagesPerSecond: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly runs: number;
  readonly baselineConnections: number;
}

interface Waited {
  readonly p50: number;
  readonly p99: number;
  readonly failures: Record<string, number>;
}

/** From emit to ack, where nobody is in a hurry. */
export async function measureLatency(ground: Ground, options: LatencyOptions): Promise<Findings> {
  const { connected, messagesPerSecond: perSecond, seconds, warmUpSeconds, runs } = options;
  const pairs = Math.floor(connected / 2);
  const measure = async (starting: Promise<Server>): Promise<Waited> => {
    const server = await starting;
    const people = await startChild<PairsCommands>(new URL('../load/pairs-process.ts', import.meta.url));
    try {
      const [target] = server.targets;
      if (!target) throw new Error('the server listens nowhere');
      await people.call('connect', { target, secret: ground.jwtSecret, pairs });
      await people.call('exchange', { seconds: warmUpSeconds, perSecond });
      const { latencies, failures } = await people.call('exchange', { seconds, perSecond });
      return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), failures };
    } finally {
      await people.stop();
      await server.stop();
    }
  };
  const seen = await alternate(runs, {
    product: () => measure(startProduct(ground, { pairs })),
    monolith: () => measure(startMonolith(ground, options.baselineConnections)),
  });
  const compare = (field: 'p50' | 'p99'): Comparison => ({
    what: `emit to ack at ${perSecond} messages/s, ${connected} connected, ${field}`,
    unit: 'ms',
    product: seen.product.map(each => each[field]),
    baseline: seen.monolith.map(each => each[field]),
    baselineName: 'Socket.IO with an insert for each message',
    bar: { atMost: 3 },
  });
  return { comparisons: [compare('p50'), compare('p99')], observations: [refusals(seen.product)] };
}

function refusals(rounds: readonly Waited[]): Observation {
  const failures = rounds.map(({ failures: each }) => JSON.stringify(each));
  return { what: 'refused by the product', seen: failures.join(' '), holds: failures.every(text => text === '{}') };
}
