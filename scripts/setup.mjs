import { fileURLToPath } from 'node:url';
import { alone } from './setup/lock.mjs';
import { ensureNatsServer, isNatsServerHere } from './setup/nats-server.mjs';
import { arePackagesHere, ensurePackages } from './setup/packages.mjs';
import { SetupError } from './setup/run.mjs';

// Runs before `npm start`, `npm test` and `npm run check`, on the Node that the machine has and without any
// package: installs the packages (which bring Node 24) and finds or fetches nats-server.

const OLDEST_NODE = 20;
const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

const say = line => process.stderr.write(`set-up: ${line}\n`);

async function setUp() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE) {
    throw new SetupError(
      `this is Node ${process.versions.node}; install Node ${OLDEST_NODE} or later, from https://nodejs.org.`,
    );
  }
  const steps = [
    ...((await arePackagesHere(REPOSITORY)) ? [] : [() => ensurePackages(REPOSITORY, say)]),
    ...(isNatsServerNeeded() && !isNatsServerHere() ? [() => ensureNatsServer(say)] : []),
  ];
  if (steps.length === 0) return;
  await alone(REPOSITORY, say, async () => {
    for (const step of steps) await step();
  });
}

/** The checks start nothing, and a server of somebody else's is used as it is. */
function isNatsServerNeeded() {
  const { npm_lifecycle_event: event, NATS_URL: url } = process.env;
  return event !== 'precheck' && !(event === 'prestart' && url);
}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
