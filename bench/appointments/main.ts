import type { Findings } from '../measure/comparison.ts';
import { runBench, runToEnd, type Footing } from '../run/run-bench.ts';
import { measureContention } from './contention.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import { measureReminders } from './reminders.ts';
import { startGround, type Ground } from './servers.ts';
import { measureStored } from './stored.ts';

const MEASUREMENTS: Record<Part, (ground: Ground, options: Options) => Promise<Findings>> = {
  contention: measureContention,
  reminders: measureReminders,
  stored: measureStored,
};

async function prepare(footing: Footing): Promise<(part: Part, options: Options) => Promise<Findings>> {
  const ground = await startGround(footing);
  return (part, options) => MEASUREMENTS[part](ground, options);
}

await runToEnd(async () => {
  const options = readOptions(process.argv.slice(2));
  await runBench({
    name: 'appointments',
    options,
    prepare: async footing => {
      const measure = await prepare(footing);
      return part => measure(part, options);
    },
  });
}, usage);
