import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNats } from '@rapport/local-stack';
import { startTracing } from '../../libs/service/src/tracing.ts';
import { describe, type Findings } from '../measure/comparison.ts';
import { describeMachine, load, stolenSeconds } from '../measure/machine.ts';
import { openFilesLimit } from '../measure/process-usage.ts';
import { measureConnectRate } from './connect-rate.ts';
import { measureDeliveryCpu } from './delivery-cpu.ts';
import { measureHostileCrowd } from './hostile-crowd.ts';
import { measureIdleMemory } from './idle-memory.ts';
import { readOptions, usage, type Options, type Part } from './options.ts';
import type { Ground } from './servers.ts';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));
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

/** Ends whatever was started, last first, however the run ends. */
async function run(options: Options): Promise<void> {
  const needed = Math.max(options.sockets, options.crowd + options.silent) + SPARE_FILES;
  const limit = openFilesLimit();
  if (limit < needed) throw new RangeError(`the limit of open files (ulimit -Hn) is ${limit}, ${needed} are needed`);
  startTracing();
  const folder = mkdtempSync(join(tmpdir(), 'rapport-bench-'));
  const stops: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const nats = await startNats({ dir: folder });
    stops.push(() => nats.process.stop());
    const ground = {
      nats,
      folder,
      jwtSecret: randomBytes(32).toString('base64'),
      atEnd: (stop: () => Promise<void>) => void stops.push(stop),
    };
    const results = await Promise.race([measure(ground, options), interruption(options.maxMinutes)]);
    write({ at: new Date().toISOString(), machine: describeMachine(), options, results });
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function measure(ground: Ground, options: Options): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {};
  for (const part of options.parts) {
    const [startedAt, stolen, loadBefore] = [performance.now(), stolenSeconds(), load()];
    const findings = await MEASUREMENTS[part](ground, options);
    const noise = {
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      loadBefore,
      loadAfter: load(),
      stolenSeconds: Math.round(stolenSeconds() - stolen),
    };
    results[part] = { ...findings, noise };
    console.log(`\n## ${part}\n\n${describe(findings)}\n\n${JSON.stringify(noise)}`);
  }
  return results;
}

/** Rejects on Ctrl-C, on an error that nobody caught, and when the bench takes too long. */
function interruption(minutes: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
    process.once('uncaughtException', reject);
    setTimeout(() => reject(new Error(`not done after ${minutes} minutes`)), minutes * 60_000).unref();
  });
}

function write(report: { readonly at: string; readonly [field: string]: unknown }): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `gateway-${report.at.replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nwrote ${file}`);
}

try {
  await run(readOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  console.error((error as Error).message);
  if (error instanceof RangeError || error instanceof TypeError) console.error(usage());
  process.exit(1);
}
