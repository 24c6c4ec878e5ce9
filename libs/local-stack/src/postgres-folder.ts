import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Output } from './output.ts';
import { SHARED_FOLDER } from './postgres-programs.ts';
import { writePrivate } from './secrets.ts';
import { StackError } from './stack-error.ts';
import { canReach, postgresUser, type SystemUser } from './system-user.ts';

/** Where PostgreSQL keeps its data, and the user it runs as when that is not the one who runs this. */
export interface PostgresFolder {
  readonly folder: string;
  readonly runAs: SystemUser | undefined;
}

/**
 * The folder `postgres` in the data folder. When root starts it, the system user that PostgreSQL then runs
 * as must own it and reach it; where it cannot, because a folder above is closed to others, the data is kept
 * below /var/lib, and the data folder remembers where.
 */
export function findPostgresFolder(dir: string, output: Output): PostgresFolder {
  const remembered = readRemembered(dir);
  if (remembered !== undefined) return { folder: remembered, runAs: postgresUser(remembered) };
  const folder = join(dir, 'postgres');
  const runAs = postgresUser(folder);
  if (give(folder, runAs) || (openForPassage(dir) && give(folder, runAs))) return { folder, runAs };
  if (readdirSync(folder).length > 0) {
    throw new StackError(
      `${folder} cannot be reached by ${runAs?.name}, as whom PostgreSQL must run: open the folders above.`,
    );
  }
  rmdirSync(folder);
  return elsewhere(dir, output);
}

function elsewhere(dir: string, output: Output): PostgresFolder {
  const folder = sharedFolderOf(dir);
  mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
  const runAs = postgresUser(folder);
  if (!give(folder, runAs)) {
    throw new StackError(`PostgreSQL must run as ${runAs?.name}, who can reach neither ${dir} nor ${folder}.`);
  }
  output.note(`${dir} is closed to the user ${runAs?.name}, so PostgreSQL keeps its data in ${folder}`);
  remember(dir, folder);
  return { folder, runAs };
}

/** Makes the folder and gives it to the user. `false` when the user cannot reach it there. */
function give(folder: string, user: SystemUser | undefined): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user === undefined) return true;
  chmodSync(folder, 0o700);
  chownSync(folder, user.uid, user.gid);
  return canReach(user, { write: [folder] });
}

/** A data folder that lists nothing to others may still let them through: what is in it is closed by itself. */
function openForPassage(dir: string): boolean {
  const mode = statSync(dir).mode;
  chmodSync(dir, mode | 0o001);
  return (mode & 0o001) === 0;
}

const pointerIn = (dir: string): string => join(dir, 'postgres-folder');
const ownerFileOf = (folder: string): string => `${folder}.belongs-to`;

function remember(dir: string, folder: string): void {
  writePrivate(pointerIn(dir), `${folder}\n`);
  writePrivate(ownerFileOf(folder), `${realpathSync(dir)}\n`);
}

/** A data folder that was moved keeps its database; one that was copied must not share the original's. */
function readRemembered(dir: string): string | undefined {
  const folder = readLine(pointerIn(dir));
  if (folder === undefined || !existsSync(folder)) return undefined;
  const owner = readLine(ownerFileOf(folder));
  const isCopy = owner !== realpathSync(dir) && owner !== undefined && readLine(pointerIn(owner)) === folder;
  if (isCopy) return undefined;
  remember(dir, folder);
  return folder;
}

function readLine(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

/** Random, because the folder of a moved data folder must not be met again by another in its old place. */
function sharedFolderOf(dir: string): string {
  return join(SHARED_FOLDER, `${basename(dir).replaceAll(/[^\w-]/g, '')}-${randomBytes(6).toString('hex')}`);
}
