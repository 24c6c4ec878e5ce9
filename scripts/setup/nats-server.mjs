import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FETCHED_PROGRAMS, findNatsServer } from '../../libs/local-stack/src/find-nats-server.mjs';
import { run, SetupError } from './run.mjs';

// The pinned release. SHA-256 of nats-server-v<version>-linux-<arch>.tar.gz as the Docker official image
// of the same version checks them (nats:2.14.7-alpine3.22, Dockerfile in nats-io/nats-docker, and its build
// record in docker-library/repo-info). No such source is known for macOS, where Homebrew has nats-server.
const VERSION = '2.14.7';
const CHECKSUMS = {
  'linux-x64': ['amd64', 'e5c20b1cb2c0566b54c544312e91e011f9e130c5c80f16a14f4cf28ef30b8be2'],
  'linux-arm64': ['arm64', '50e0258a1b7290f3fe2e4f17506b74a90ffb1dd77867ae3a402eb0c9e2b0d40f'],
  'linux-arm': ['arm7', '820339a81ac3321a47ed1ebd2aabeebfb23544da13d6ec2c5fda115b5af8948d'],
  'linux-ppc64': ['ppc64le', '7db5df67900443ee4dc93fb0bb134c68ee7c09501956dbcf12e4e9ec05c32913'],
  'linux-s390x': ['s390x', '81634eac81dce5ffdcd74d6786f55e97db8af474b1a3c863bdcd2a73ad2e4c16'],
};

/** A machine without a way to GitHub must not wait longer than this to find out. */
const ANSWER_TIMEOUT_MS = 10_000;
/** 7 MB on a slow line. */
const DOWNLOAD_TIMEOUT_MS = 180_000;

const WHAT_TO_DO =
  process.platform === 'darwin'
    ? 'install it with `brew install nats-server`, or set NATS_SERVER to the program'
    : 'install nats-server 2.9.10 or later, or set NATS_SERVER to the program';

/**
 * Whether there is a nats-server.
 * @throws {SetupError} when NATS_SERVER names something else
 */
export function isNatsServerHere() {
  try {
    return findNatsServer(process.env) !== undefined;
  } catch (error) {
    throw new SetupError(error.message);
  }
}

/**
 * Finds nats-server or fetches it into `.local/bin`, without touching the system.
 * @param {(line: string) => void} say
 * @throws {SetupError}
 */
export async function ensureNatsServer(say) {
  if (isNatsServerHere()) return;
  const target = join(FETCHED_PROGRAMS, 'nats-server');
  const folder = await mkdir(FETCHED_PROGRAMS, { recursive: true })
    .then(() => mkdtemp(join(FETCHED_PROGRAMS, 'fetch-')))
    .catch(cause => {
      throw new SetupError(`nats-server cannot be kept in ${FETCHED_PROGRAMS} (${cause.code}): ${WHAT_TO_DO}.`);
    });
  try {
    const program = await fetchRelease(folder, say)
      .catch(cause => {
        say(`the nats-server release cannot be fetched (${reason(cause)}); trying Debian's package`);
        return fetchDebianPackage(folder);
      })
      .catch(cause => {
        throw new SetupError(`nats-server is not here and cannot be fetched (${reason(cause)}): ${WHAT_TO_DO}.`);
      });
    // What cannot run here (another C library, another processor) must not be found by the next start.
    const version = await run(program, ['--version']).catch(cause => {
      throw new SetupError(`the nats-server that was fetched does not run here (${reason(cause)}): ${WHAT_TO_DO}.`);
    });
    await rename(program, target);
    say(`fetched ${version.trim()} to ${target}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchRelease(folder, say) {
  const [arch, checksum] = CHECKSUMS[`${process.platform}-${process.arch}`] ?? [];
  if (!arch) throw new Error(`no release is pinned for ${process.platform} on ${process.arch}`);
  const name = `nats-server-v${VERSION}-linux-${arch}`;
  say(`fetching nats-server ${VERSION} from GitHub`);
  const archive = await download(`https://github.com/nats-io/nats-server/releases/download/v${VERSION}/${name}.tar.gz`);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== checksum) throw new Error(`its SHA-256 is ${actual}, not ${checksum}`);
  await writeFile(join(folder, 'release.tar.gz'), archive);
  await run('tar', ['-xzf', 'release.tar.gz'], { cwd: folder });
  return join(folder, name, 'nats-server');
}

async function download(url) {
  const stop = new AbortController();
  const abort = () => stop.abort(new Error('no answer in time'));
  let timer = setTimeout(abort, ANSWER_TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: stop.signal });
    if (!response.ok) throw new Error(`the answer was ${response.status}`);
    clearTimeout(timer);
    timer = setTimeout(abort, DOWNLOAD_TIMEOUT_MS);
    return Buffer.from(await response.arrayBuffer());
  } finally {
    clearTimeout(timer);
  }
}

/** With the lists of packages that the machine has, or, where it has none, with lists in a folder of our own. */
async function fetchDebianPackage(folder) {
  const own = await privateAptFolders(folder);
  const unattended = ['-q', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=10', '-o', 'APT::Sandbox::User='];
  const get = options => run('apt-get', [...unattended, ...options, 'download', 'nats-server'], { cwd: folder });
  await get([]).catch(async cause => {
    if (cause.code === 'ENOENT') throw new Error('there is no apt-get');
    await run('apt-get', [...unattended, ...own, 'update']);
    await get(own);
  });
  const [archive] = (await readdir(folder)).filter(file => file.endsWith('.deb'));
  if (!archive) throw new Error('apt-get downloaded nothing');
  await run('dpkg-deb', ['-x', archive, 'unpacked'], { cwd: folder });
  const program = join(folder, 'nats-server');
  await copyFile(join(folder, 'unpacked', 'usr', 'sbin', 'nats-server'), program);
  await chmod(program, 0o755);
  return program;
}

async function privateAptFolders(folder) {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
}

function reason(error) {
  const cause = error.cause ?? error;
  return cause.code ?? cause.message;
}
