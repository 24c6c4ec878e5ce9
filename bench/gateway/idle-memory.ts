import { alternate } from '../measure/alternate.ts';
import { collectedMemory, type Memory } from '../measure/collected-memory.ts';
import type { Comparison, Findings } from '../measure/comparison.ts';
import { startCrowd } from './crowd.ts';
import { startProduct } from './product.ts';
import { startBare, type Ground, type Server } from './servers.ts';

/** Connected before the count begins, so that code, tables and the first growth of the heap are not in it. */
const WARM_UP_SOCKETS = 500;
/**
 * In megabytes. Left alone it grows to 96 MB once some thousand sockets have come, whatever their number: divided by
 * them it would pass for twice of what each of them takes.
 */
const YOUNG_GENERATION = '--max-semi-space-size=1';
const BYTES_PER_KB = 1_024;

/** Memory per idle connection, after garbage collection. */
export async function measureIdleMemory(
  shared: Ground,
  { sockets, runs }: { sockets: number; runs: number },
): Promise<Findings> {
  const ground = { ...shared, nodeOptions: [YOUNG_GENERATION] };
  const measure = async (starting: Promise<Server>): Promise<Memory> => {
    const server = await starting;
    const crowd = await startCrowd(ground.jwtSecret);
    try {
      await crowd.gather(server.target, WARM_UP_SOCKETS, 'warm');
      const before = await collectedMemory(server.pid, ground.folder);
      await crowd.gather(server.target, sockets, 'idle');
      const after = await collectedMemory(server.pid, ground.folder);
      const { connected, lost } = await crowd.state();
      if (connected !== sockets + WARM_UP_SOCKETS) throw new Error(`${lost} sockets were lost while they were idle`);
      const perSocket = (field: keyof Memory): number => (after[field] - before[field]) / sockets / BYTES_PER_KB;
      return { rss: perSocket('rss'), heapUsed: perSocket('heapUsed'), external: perSocket('external') };
    } finally {
      await Promise.all([crowd.stop(), server.stop()]);
    }
  };
  const results = await alternate(runs, {
    gateway: () => measure(startGateway(ground)),
    bare: () => measure(startBare(ground, { checksTokens: false })),
    checking: () => measure(startBare(ground, { checksTokens: true })),
  });
  const compare = (field: keyof Memory, what: string, baseline: 'bare' | 'checking', bar?: number): Comparison => ({
    what,
    unit: 'KB',
    product: results.gateway.map(memory => memory[field]),
    baseline: results[baseline].map(memory => memory[field]),
    baselineName: baseline === 'bare' ? 'Socket.IO' : 'Socket.IO, token and room',
    ...(bar !== undefined && { bar: { atMost: bar } }),
  });
  return {
    comparisons: [
      compare('rss', 'idle connection, resident', 'bare', 1.3),
      compare('rss', 'idle connection, resident', 'checking'),
      compare('heapUsed', 'idle connection, V8 heap', 'bare'),
      compare('heapUsed', 'idle connection, V8 heap', 'checking'),
      compare('external', 'idle connection, outside of the heap', 'bare'),
    ],
  };
}

/** Of the whole product: without the others sockets would wait for what they are told after connect. */
async function startGateway(ground: Ground): Promise<Server> {
  const before = process.env['NODE_OPTIONS'];
  const stack = await startProduct(ground);
  // The baselines have their own from their ground.
  if (before === undefined) delete process.env['NODE_OPTIONS'];
  else process.env['NODE_OPTIONS'] = before;
  ground.atEnd(() => stack.stop());
  const { hostname, port } = new URL(stack.gateways[0] ?? '');
  const target = { host: hostname, port: Number(port) };
  return { pid: stack.programs.get('gateway')?.pid ?? 0, target, stop: () => stack.stop() };
}
