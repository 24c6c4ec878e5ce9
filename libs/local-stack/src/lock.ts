import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from './stack-error.ts';

/**
 * Keeps a second stack off a data folder for as long as this process lives, however it ends.
 * @returns what gives the folder free again
 * @throws StackError when a stack is running on it
 */
export function lockFolder(dir: string): () => void {
  const file = join(dir, 'lock');
  const draft = `${file}.${process.pid}`;
  const mine = identity(process.pid) ?? String(process.pid);
  makeDraft(dir, draft, mine);
  try {
    while (!claim(draft, file)) {
      const holder = read(file);
      if (holder !== undefined && isAlive(holder)) {
        const [pid] = holder.split(' ');
        throw new StackError(
          `A stack is already running on ${dir} (process ${pid}): stop it, or set DATA_DIR to another folder.`,
        );
      }
      if (holder !== undefined) removeStale(file, holder);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (read(file) === mine) rmSync(file, { force: true });
  };
}

function makeDraft(dir: string, draft: string, content: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    writeFileSync(draft, content);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StackError(`${dir} cannot be written (${code}): set DATA_DIR to a folder of your own.`);
  }
}

/** A link is made with its content or not at all, and only where there is none. */
function claim(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Another process may have removed the stale lock and taken the folder in the meantime: then it gets its lock back. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    if (read(aside) !== stale) claim(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAlive(holder: string): boolean {
  const pid = Number.parseInt(holder, 10);
  return identity(pid) === holder;
}

/** A process number comes again, after a reboot above all; with the time of the start it does not. */
function identity(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return `${pid} ${execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()}`;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    return state === 'Z' ? undefined : `${pid} ${bootId()} ${startTime}`;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
