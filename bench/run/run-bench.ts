import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, type Findings } from '../measure/comparison.ts';
import { describeMachine, load, stolenSeconds } from '../measure/machine.ts';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

type Stop = () => Promise<void> | void;

/** What a run stands on: a folder of its own, and a way to have things undone. */
export interface Footing {
  readonly folder: string;
  /** Undone however the run ends, last first. */
  readonly atEnd: (stop: Stop) => void;
}

interface Bench<Part extends string> {
  /** Of the file with the results. */
  readonly name: string;
  readonly options: { readonly parts: readonly Part[]; readonly maxMinutes: number };
  /** Prepares, and returns what measures a part. */
  readonly prepare: (footing: Footing) => Promise<(part: Part) => Promise<Findings>>;
}

/** Measures the parts one after the other, prints each, and writes all of it as JSON. Ends what it started. */
export async function runBench<Part extends string>({ name, options, prepare }: Bench<Part>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rapport-bench-'));
  const stops: Stop[] = [() => rmSync(folder, { recursive: true, force: true })];
  const run = async (): Promise<Record<string, unknown>> => {
    const measure = await prepare({ folder, atEnd: stop => void stops.push(stop) });
    const results: Record<string, unknown> = {};
    for (const part of options.parts) results[part] = await measurePart(part, measure);
    return results;
  };
  try {
    const results = await Promise.race([run(), interruption(options.maxMinutes)]);
    write(name, { at: new Date().toISOString(), machine: describeMachine(), options, results });
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

/** Runs the bench of this process to its end. A mistake in the options is answered with `usage`. */
export async function runToEnd(run: () => Promise<void>, usage: () => string): Promise<never> {
  try {
    await run();
    process.exit(0);
  } catch (error) {
    console.error((error as Error).message);
    if (error instanceof RangeError || error instanceof TypeError) console.error(usage());
    process.exit(1);
  }
}

async function measurePart<Part extends string>(part: Part, measure: (part: Part) => Promise<Findings>) {
  const [startedAt, stolen, loadBefore] = [performance.now(), stolenSeconds(), load()];
  const findings = await measure(part);
  const noise = {
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    loadBefore,
    loadAfter: load(),
    stolenSeconds: Math.round(stolenSeconds() - stolen),
  };
  console.log(`\n## ${part}\n\n${describe(findings)}\n\n${JSON.stringify(noise)}`);
  return { ...findings, noise };
}

/** Rejects on Ctrl-C, on an error that nobody caught, and when the bench takes too long. */
function interruption(minutes: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
    process.once('uncaughtException', reject);
    setTimeout(() => reject(new Error(`not done after ${minutes} minutes`)), minutes * 60_000).unref();
  });
}

function write(name: string, report: { readonly at: string; readonly [field: string]: unknown }): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${name}-${report.at.replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nwrote ${file}`);
}
