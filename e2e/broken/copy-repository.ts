import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NOT_COPIED: readonly string[] = ['node_modules', '.git', 'bench'];

/** Copies the sources to a folder of their own. What is installed is linked, not copied. @returns the folder */
export function copyRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rapport-broken-'));
  for (const entry of readdirSync(ROOT)) {
    if (NOT_COPIED.includes(entry)) continue;
    // Of `.local` the programs: nats-server.
    const filter = (source: string): boolean => !/\/node_modules$|\/[.]local\/(?!bin)/.test(source);
    cpSync(join(ROOT, entry), join(folder, entry), { recursive: true, filter });
  }
  linkModules(folder);
  return folder;
}

/** The workspaces among the modules are those of the copy. */
function linkModules(folder: string): void {
  const [from, to] = [join(ROOT, 'node_modules'), join(folder, 'node_modules')];
  mkdirSync(join(to, '@rapport'), { recursive: true });
  for (const entry of readdirSync(from)) {
    if (entry !== '@rapport') symlinkSync(join(from, entry), join(to, entry));
  }
  for (const name of readdirSync(join(from, '@rapport'))) {
    const source = [`libs/${name}`, name].map(path => join(folder, path)).find(path => existsSync(path));
    if (source !== undefined) symlinkSync(source, join(to, '@rapport', name));
  }
  // A workspace may have modules of its own.
  for (const workspace of [...readdirSync(join(ROOT, 'libs')).map(lib => `libs/${lib}`), ...readdirSync(ROOT)]) {
    const own = join(ROOT, workspace, 'node_modules');
    if (existsSync(own) && existsSync(join(folder, workspace)))
      symlinkSync(own, join(folder, workspace, 'node_modules'));
  }
}
