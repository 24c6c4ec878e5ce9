import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import dockerignore from '@balena/dockerignore';
import type { Image } from './dockerfile.ts';

const execute = promisify(execFile);

/** npm needs some seconds when its cache has everything, and minutes on a slow line when it has nothing. */
const RUN_TIMEOUT_MS = 5 * 60_000;

/**
 * Does in an empty folder what the image's COPY and `RUN npm …` lines do in an image.
 * @returns the RUN lines that were left out, because they are about the inside of a container
 */
export async function buildInFolder(image: Image, root: string, folder: string): Promise<string[]> {
  const leftOut: string[] = [];
  for (const step of image.steps) {
    if (step.kind === 'copy') copy(step.sources, step.target, root, folder);
    else if (step.command.startsWith('npm ')) {
      await execute('sh', ['-c', step.command], {
        cwd: folder,
        timeout: RUN_TIMEOUT_MS,
        env: { ...process.env, npm_config_prefer_offline: 'true' },
      });
    } else leftOut.push(step.command);
  }
  return leftOut;
}

function copy(sources: readonly string[], target: string, root: string, folder: string): void {
  const ignored = dockerignore.default().add(readFileSync(join(root, '.dockerignore'), 'utf8').trim());
  for (const source of sources) {
    const isFolder = statSync(join(root, source)).isDirectory();
    const files = isFolder ? filesBelow(join(root, source)).map(file => join(source, file)) : [source];
    const brought = files.filter(file => !ignored.ignores(file));
    if (brought.length === 0) throw new Error(`COPY ${source}: .dockerignore keeps it out`);
    for (const file of brought) {
      const inFolder = target.endsWith('/') ? join(target, basename(file)) : target;
      const to = join(folder, isFolder ? join(target, file.slice(source.length)) : inFolder);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(root, file), to);
    }
  }
}

/** The paths of all files below the folder, as seen from it; links are not followed. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
