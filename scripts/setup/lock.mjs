import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 250;

/**
 * Runs `work` while no other set-up works in this checkout; waits for one that does.
 * @template T
 * @param {string} repository
 * @param {(line: string) => void} say
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(repository, say, work) {
  const folder = join(repository, '.local');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'setup.lock');
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    for (let announced = false; !claim(draft, file); announced = true) {
      const holder = read(file);
      if (holder !== undefined && !isAlive(holder)) {
        rmSync(file, { force: true });
        continue;
      }
      if (!announced) say(`waiting for another set-up (process ${holder})`);
      await sleep(POLL_MS);
    }
    return await work();
  } finally {
    if (read(file) === process.pid) rmSync(file, { force: true });
    rmSync(draft, { force: true });
  }
}

function claim(draft, file) {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function read(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
