import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { startPostgres } from '@rapport/local-stack';
import type { Findings } from '../measure/comparison.ts';
import { runBench, runToEnd, type Footing } from '../run/run-bench.ts';
import { measureGateways } from './gateways.ts';
import { measureLatency } from './latency.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import type { Ground } from './servers.ts';
import { measureStored } from './stored.ts';
import { measureThroughput } from './throughput.ts';

const MEASUREMENTS: Record<Part, (ground: Ground, options: Options) => Promise<Findings>> = {
  throughput: measureThroughput,
  latency: measureLatency,
  stored: measureStored,
  gateways: measureGateways,
};

const random = (): string => randomBytes(32).toString('base64');

async function prepare({ folder, atEnd }: Footing, options: Options): Promise<(part: Part) => Promise<Findings>> {
  // PostgreSQL may run as another user, who must be able to get there.
  chmodSync(folder, 0o755);
  const postgres = await startPostgres({ dir: folder });
  atEnd(() => postgres.process.stop());
  const ground = { folder, jwtSecret: random(), contentKey: { id: 'bench', key: random() }, postgres, atEnd };
  return part => MEASUREMENTS[part](ground, options);
}

await runToEnd(async () => {
  const options = readOptions(process.argv.slice(2));
  await runBench({ name: 'messaging', options, prepare: footing => prepare(footing, options) });
}, usage);
