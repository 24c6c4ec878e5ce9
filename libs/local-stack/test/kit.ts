import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from '@jest/globals';
import { commandLine } from '../src/leftovers.ts';
import type { Output } from '../src/output.ts';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await cleanUp();
}, 60_000);

/** Registers what undoes something after the test, last first. */
export function afterwards(cleanUp: () => unknown): void {
  cleanUps.push(cleanUp);
}

/** A folder of its own, with a space in its name, removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rapport stack-'));
  // Open to the user that PostgreSQL runs as when root runs the tests.
  chmodSync(folder, 0o755);
  afterwards(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether the process still runs. One that has ended and that nobody waits for does not. */
export function isRunning(pid: number | undefined): boolean {
  return pid !== undefined && commandLine(pid) !== undefined;
}

/** Everything that is said, in order. */
export function recordedOutput(): Output & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, note: text => void lines.push(text), line: (name, text) => void lines.push(`${name}: ${text}`) };
}
