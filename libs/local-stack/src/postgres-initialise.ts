import { execFile } from 'node:child_process';
import { chownSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresPrograms } from './postgres-programs.ts';
import { StackError } from './stack-error.ts';
import type { SystemUser } from './system-user.ts';

interface Initialisation {
  readonly programs: PostgresPrograms;
  /** The user's own folder. */
  readonly folder: string;
  /** The folder in it that will hold the data; it is there whole or not at all. */
  readonly data: string;
  readonly runAs: SystemUser | undefined;
  readonly user: string;
  readonly password: string;
}

/**
 * Makes an empty PostgreSQL whose one user has the given password.
 * @throws StackError with the last lines of initdb when it fails
 */
export async function initialise(options: Initialisation): Promise<void> {
  const { programs, folder, data, runAs, user, password } = options;
  const draft = `${data}-draft`;
  const passwordFile = join(folder, 'password');
  // What a start that was killed half-way left.
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (runAs) chownSync(passwordFile, runAs.uid, runAs.gid);
  try {
    await promisify(execFile)(
      programs.initdb,
      [
        `--pgdata=${draft}`,
        `--username=${user}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // PostgreSQL's own, so that the order of texts does not depend on what the machine has installed.
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--no-instructions',
      ],
      { env: { TZ: 'UTC' }, cwd: folder, ...(runAs && { uid: runAs.uid, gid: runAs.gid }) },
    );
    renameSync(draft, data);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new StackError(['PostgreSQL cannot make its data folder:', (stderr ?? message).trim()].join('\n'));
  } finally {
    rmSync(passwordFile, { force: true });
  }
}
