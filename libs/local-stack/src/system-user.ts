import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { StackError } from './stack-error.ts';

/** A user of the operating system. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root. These exist already: no user is made. */
const CANDIDATES = ['postgres', 'nobody'];

/**
 * The user whom PostgreSQL must run as: `undefined` for the one who runs this, another one for root.
 * @param dataFolder when it exists already, its owner is the one
 */
export function postgresUser(dataFolder: string): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = ownerOf(dataFolder);
  if (owner !== undefined && owner.uid !== 0) return owner;
  const user = CANDIDATES.map(lookUp).find(found => found !== undefined);
  if (user) return user;
  throw new StackError(
    'PostgreSQL does not run as root, and there is no user postgres or nobody: start as another user.',
  );
}

/** Whether the user can run and read these files, as the operating system sees it. */
export function canReach(user: SystemUser, files: { run?: string[]; read?: string[]; write?: string[] }): boolean {
  const tests = [
    ...(files.run ?? []).flatMap(file => ['-a', '-x', file]),
    ...(files.read ?? []).flatMap(file => ['-a', '-r', file]),
    ...(files.write ?? []).flatMap(file => ['-a', '-w', file]),
  ].slice(1);
  const { uid, gid } = user;
  return spawnSync('test', tests, { uid, gid, cwd: '/', stdio: 'ignore' }).status === 0;
}

function ownerOf(folder: string): SystemUser | undefined {
  try {
    const { uid, gid } = statSync(folder);
    return { name: String(uid), uid, gid };
  } catch {
    return undefined;
  }
}

function lookUp(name: string): SystemUser | undefined {
  try {
    const ask = (what: string) => Number(execFileSync('id', [what, name], { encoding: 'utf8', stdio: 'pipe' }));
    return { name, uid: ask('-u'), gid: ask('-g') };
  } catch {
    return undefined;
  }
}
