import { alternate } from '../measure/alternate.ts';
import type { Findings } from '../measure/comparison.ts';
import { startProduct, type Ground } from './servers.ts';
import { talk, type Seen, type TalkOptions } from './talk.ts';
import { costOf } from './throughput.ts';

/** What a message costs all processes together when there are several gateways. */
export async function measureGateways(
  ground: Ground,
  options: TalkOptions & { runs: number; gateways: number },
): Promise<Findings> {
  const measure = async (gateways: number): Promise<Seen> => {
    const server = await startProduct(ground, { pairs: options.pairs, gateways });
    try {
      return await talk(ground, server, options);
    } finally {
      await server.stop();
    }
  };
  const seen = await alternate(options.runs, { one: () => measure(1), several: () => measure(options.gateways) });
  const compare = (what: string, unit: string, value: (each: Seen) => number) => ({
    what,
    unit,
    product: seen.several.map(value),
    baseline: seen.one.map(value),
    baselineName: 'one gateway',
  });
  const cost = ({ cpu }: Seen): number =>
    Object.entries(cpu).reduce((sum, [name, microseconds]) => sum + (name === 'load' ? 0 : microseconds), 0);
  return {
    comparisons: [
      { ...compare(`CPU per message with ${options.gateways} gateways`, 'µs', cost), bar: { atMost: 1.3 } },
      compare(`acknowledged with ${options.gateways} gateways`, '/s', ({ ackedPerSecond }) => ackedPerSecond),
    ],
    costs: [costOf('one gateway', seen.one), costOf(`${options.gateways} gateways`, seen.several)],
  };
}
