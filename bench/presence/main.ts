import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { startPostgres } from '@rapport/local-stack';
import type { Findings } from '../measure/comparison.ts';
import { openFilesLimit } from '../measure/process-usage.ts';
import { runBench, runToEnd, type Footing } from '../run/run-bench.ts';
import { measureConnectRate } from './connect-rate.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import type { Ground } from './servers.ts';
import { measureStorms } from './storms.ts';

/** What the gateway has open beside its sockets. */
const SPARE_FILES = 500;

const MEASUREMENTS: Record<Part, (ground: Ground, options: Options) => Promise<Findings>> = {
  connects: measureConnectRate,
  storms: measureStorms,
};

async function prepare({ folder, atEnd }: Footing, options: Options): Promise<(part: Part) => Promise<Findings>> {
  const needed = Math.max(options.people, 2 * options.connects + options.watchers) + SPARE_FILES;
  const limit = openFilesLimit();
  if (limit < needed) throw new RangeError(`the limit of open files (ulimit -Hn) is ${limit}, ${needed} are needed`);
  // PostgreSQL may run as another user, who must be able to get there.
  chmodSync(folder, 0o755);
  const postgres = await startPostgres({ dir: folder });
  atEnd(() => postgres.process.stop());
  const ground = { folder, jwtSecret: randomBytes(32).toString('base64'), postgres, atEnd };
  return part => MEASUREMENTS[part](ground, options);
}

await runToEnd(async () => {
  const options = readOptions(process.argv.slice(2));
  await runBench({ name: 'presence', options, prepare: footing => prepare(footing, options) });
}, usage);
