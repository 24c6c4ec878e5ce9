import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// Plain JavaScript without dependencies: the set-up step needs it before there is a Node that strips types.

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** Where the set-up step keeps the programs that it fetched. */
export const FETCHED_PROGRAMS = join(REPOSITORY, '.local', 'bin');

/** Debian puts servers where an ordinary user's PATH does not look, Homebrew where a service's does not. */
const BESIDE_PATH = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * The nats-server program: the one that NATS_SERVER names, else the first on PATH, else the one
 * fetched earlier. `undefined` when there is none.
 * @param {Record<string, string | undefined>} env
 * @returns {string | undefined}
 * @throws {Error} when NATS_SERVER names something that cannot be run; the message is one line for a person
 */
export function findNatsServer(env) {
  if (env.NATS_SERVER) {
    const named = resolve(REPOSITORY, env.NATS_SERVER);
    if (isProgram(named)) return named;
    throw new Error(`NATS_SERVER names ${named}, which is not a program that can be run: correct it, or unset it.`);
  }
  const folders = (env.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  return [...folders, ...BESIDE_PATH, FETCHED_PROGRAMS].map(folder => join(folder, 'nats-server')).find(isProgram);
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
