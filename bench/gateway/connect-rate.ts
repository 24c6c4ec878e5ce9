import { alternate } from '../measure/alternate.ts';
import type { Comparison, Findings } from '../measure/comparison.ts';
import { cpuSeconds } from '../measure/process-usage.ts';
import { startCrowd } from './crowd.ts';
import { startBare, startGateway, type Ground, type Server } from './servers.ts';

interface Cost {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

/** Compiles the hot functions: a process that has just started connects at half its rate. */
const WARM_UP_SOCKETS = 1_000;

/** Authenticated connects a second, and what each costs the server. */
export async function measureConnectRate(
  ground: Ground,
  { connects, runs }: { connects: number; runs: number },
): Promise<Findings> {
  const measure = async (starting: Promise<Server>): Promise<Cost> => {
    const server = await starting;
    const crowd = await startCrowd(ground.jwtSecret);
    try {
      await crowd.gather(server.target, WARM_UP_SOCKETS, 'warm');
      const before = cpuSeconds(server.pid);
      const seconds = await crowd.gather(server.target, connects, 'user');
      const cpu = cpuSeconds(server.pid) - before;
      return { perSecond: connects / seconds, cpuMicroseconds: (cpu / connects) * 1e6 };
    } finally {
      await Promise.all([crowd.stop(), server.stop()]);
    }
  };
  const { gateway, checking } = await alternate(runs, {
    gateway: () => measure(startGateway(ground)),
    checking: () => measure(startBare(ground, { checksTokens: true })),
  });
  const compare = (field: keyof Cost, what: string, unit: string): Comparison => ({
    what,
    unit,
    product: gateway.map(cost => cost[field]),
    baseline: checking.map(cost => cost[field]),
    baselineName: 'Socket.IO, token and room',
  });
  return {
    comparisons: [
      compare('perSecond', 'authenticated connects', '/s'),
      compare('cpuMicroseconds', 'CPU of the server per connect', 'µs'),
    ],
  };
}
