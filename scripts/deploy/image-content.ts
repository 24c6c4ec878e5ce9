import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { filesBelow } from './image-folder.ts';

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()).default({}) });
const Lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().default(false) })) });

/** What is in the folder of an image and has no business there. */
export function strangers(folder: string, workspace: string): string[] {
  const allowed = [...workspacesOf(folder, workspace)].map(path => `${path}/`);
  const rootFiles = ['package.json', 'package-lock.json', '.npmrc'];
  const files = filesBelow(folder).filter(file => !file.startsWith('node_modules/'));
  const lock = Lock.parse(readJson(join(folder, 'package-lock.json')));
  const dev = Object.entries(lock.packages).filter(([path, entry]) => entry.dev && existsSync(join(folder, path)));
  return [
    ...files
      .filter(file => !rootFiles.includes(file) && !allowed.some(path => file.startsWith(path)))
      .map(file => `${file} is of no workspace that ${workspace} uses`),
    ...files.filter(file => /[.]test[.]ts$|(^|[/])test[/]/.test(file)).map(file => `${file} is a test`),
    ...dev.map(([path]) => `${path} is a development dependency`),
  ];
}

/** The folders of the workspace and of every workspace that it depends on. */
function workspacesOf(folder: string, workspace: string, found = new Set<string>()): Set<string> {
  if (found.has(workspace)) return found;
  found.add(workspace);
  const manifest = join(folder, workspace, 'package.json');
  const { dependencies } = existsSync(manifest) ? Manifest.parse(readJson(manifest)) : { dependencies: {} };
  for (const name of Object.keys(dependencies).filter(dependency => dependency.startsWith('@rapport/'))) {
    workspacesOf(folder, name.replace('@rapport/', 'libs/'), found);
  }
  return found;
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
