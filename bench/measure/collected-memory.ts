import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  /** Outside of V8's heap, buffers above all. */
  readonly external: number;
}

const POLL_MS = 50;
const TIMEOUT_MS = 30_000;

/** The NODE_OPTIONS with which `collectedMemory` can be asked of a process. @param folder where it writes */
export function withMemoryOnSignal(folder: string): string {
  const preload = new URL(`memory-on-signal.ts?${encodeURIComponent(folder)}`, import.meta.url);
  return [process.env['NODE_OPTIONS'], `--import=${preload.href}`].filter(Boolean).join(' ');
}

/** The bytes that a process holds after its garbage was collected. */
export async function collectedMemory(pid: number, folder: string): Promise<Memory> {
  const file = join(folder, `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    await sleep(POLL_MS);
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Memory;
    } catch {
      // Not there yet, or half of it.
    }
  }
  throw new Error(`process ${pid} did not say what memory it holds`);
}
