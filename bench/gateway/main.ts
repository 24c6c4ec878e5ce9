import { randomBytes } from 'node:crypto';
import { startNats } from '@rapport/local-stack';
import { startTracing } from '../../libs/service/src/tracing.ts';
import type { Findings } from '../measure/comparison.ts';
import { openFilesLimit } from '../measure/process-usage.ts';
import { runBench, runToEnd, type Footing } from '../run/run-bench.ts';
import { measureConnectRate } from './connect-rate.ts';
import { measureDeliveryCpu } from './delivery-cpu.ts';
import { measureHostileCrowd } from './hostile-crowd.ts';
import { measureIdleMemory } from './idle-memory.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import type { Ground } from './servers.ts';

/** What the gateway has open beside its sockets. */
const SPARE_FILES = 500;

const MEASUREMENTS: Record<Part, (ground: Ground, options: Options) => Promise<Findings>> = {
  memory: measureIdleMemory,
  delivery: (ground, { deliveriesPerSecond: perSecond, ...options }) =>
    measureDeliveryCpu(ground, { ...options, perSecond }),
  connects: measureConnectRate,
  hostile: (ground, { crowd, messagesPerSecond, phaseSeconds, ...options }) =>
    measureHostileCrowd(ground, { ...options, sockets: crowd, perSecond: messagesPerSecond, seconds: phaseSeconds }),
};

async function prepare({ folder, atEnd }: Footing, options: Options): Promise<(part: Part) => Promise<Findings>> {
  const needed = Math.max(options.sockets, options.crowd + options.silent) + SPARE_FILES;
  const limit = openFilesLimit();
  if (limit < needed) throw new RangeError(`the limit of open files (ulimit -Hn) is ${limit}, ${needed} are needed`);
  startTracing();
  const nats = await startNats({ dir: folder });
  atEnd(() => nats.process.stop());
  const ground = { nats, folder, jwtSecret: randomBytes(32).toString('base64'), atEnd };
  return part => MEASUREMENTS[part](ground, options);
}

await runToEnd(async () => {
  const options = readOptions(process.argv.slice(2));
  await runBench({ name: 'gateway', options, prepare: footing => prepare(footing, options) });
}, usage);
