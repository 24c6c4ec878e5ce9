import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';

/** EX_CONFIG of sysexits.h: how every process of ours ends that is not told what it needs. */
const EXIT_CONFIG = 78;
const START_TIMEOUT_MS = 30_000;

interface Where {
  /** The folder that stands for the image's working folder. */
  readonly folder: string;
  readonly workdir: string;
  /** Where the command is started, when that is another folder. */
  readonly startedIn: string;
}

/**
 * Starts a command of an image with nothing in its environment: all its modules must be found, and it must
 * stop with the list of what it was not told.
 * @returns what went otherwise
 */
export async function startMistakes(command: readonly string[], where: Where): Promise<string[]> {
  const { code, output } = await run(command, where, {});
  if (code === EXIT_CONFIG && /\b[A-Z][A-Z_]+ is not set\b/.test(output)) return [];
  return [
    `\`${command.join(' ')}\` ended with ${code}, not with ${EXIT_CONFIG} and what is not set:\n${output.trim()}`,
  ];
}

/** Tries the health check of an image against a process that is well, one that is not, and none. */
export async function healthcheckMistakes(command: readonly string[], where: Where): Promise<string[]> {
  let status = 200;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? status : 404).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const environment = { OPS_PORT: String((server.address() as AddressInfo).port) };
  const well = await run(command, where, environment);
  status = 503;
  const unwell = await run(command, where, environment);
  server.closeAllConnections();
  await new Promise(closed => server.close(closed));
  const gone = await run(command, where, environment);
  return [
    ...(well.code === 0 ? [] : [`the health check fails for a process that is well: ${well.output.trim()}`]),
    ...(unwell.code === 1 ? [] : ['the health check does not fail for a process that is not well']),
    ...(gone.code === 1 ? [] : ['the health check does not fail for a process that is not there']),
  ];
}

async function run(
  [program = '', ...args]: readonly string[],
  { folder, workdir, startedIn }: Where,
  environment: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const inFolder = args.map(argument => argument.replaceAll(`${workdir}/`, `${folder}/`));
  const child = spawn(program === 'node' ? process.execPath : program, inFolder, {
    cwd: startedIn,
    // A shell must find this Node and nothing else of ours.
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: START_TIMEOUT_MS,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
