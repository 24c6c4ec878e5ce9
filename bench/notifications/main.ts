import { runBench, runToEnd, type Footing } from '../run/run-bench.ts';
import { measureCreations } from './creations.ts';
import { measureEmails } from './emails.ts';
import { groundOf, type Ground } from './ground.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import { measureRate } from './rate.ts';
import type { Findings } from '../measure/comparison.ts';

const MEASUREMENTS: Record<Part, (ground: Ground, options: Options) => Promise<Findings>> = {
  rate: measureRate,
  creations: measureCreations,
  emails: measureEmails,
};

await runToEnd(async () => {
  const options = readOptions(process.argv.slice(2));
  const prepare = (footing: Footing) => {
    const ground = groundOf(footing);
    return Promise.resolve((part: Part) => MEASUREMENTS[part](ground, options));
  };
  await runBench({ name: 'notifications', options, prepare });
}, usage);
