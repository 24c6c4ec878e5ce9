import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Preloaded (`node --import …/memory-on-signal.ts?<folder>`) into every process whose memory is measured: on SIGUSR2
// it collects garbage and writes what is left to <folder>/<pid>.json.

const folder = decodeURIComponent(new URL(import.meta.url).search.slice(1));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What one collection finalises, the next one frees. */
const COLLECTIONS = 4;
const BETWEEN_MS = 150;

process.on('SIGUSR2', () => {
  const measure = async (): Promise<void> => {
    for (let round = 0; round < COLLECTIONS; round += 1) {
      collect();
      await sleep(BETWEEN_MS);
    }
    writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(process.memoryUsage()));
  };
  void measure();
});
