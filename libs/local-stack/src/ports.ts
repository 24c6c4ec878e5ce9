import { once } from 'node:events';
import { createServer } from 'node:net';
import { StackError } from './stack-error.ts';

/** Everything that the local stack starts listens here, and nowhere else. */
export const LOOPBACK = '127.0.0.1';

// Below the range from which Linux takes the ports of outgoing connections: a port from that range may be
// taken by one of them while the program that had it is being restarted.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const ATTEMPTS = 100;

/** Ports that this process has given out: whoever asked may not listen yet. */
const given = new Set<number>();

/** A port that nobody listens on. Random, so that stacks that start at one time do not meet. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (given.has(port) || (await obstacleTo(port, LOOPBACK)) !== undefined) continue;
    given.add(port);
    return port;
  }
  throw new StackError(`No free port was found between ${FIRST_PORT} and ${LAST_PORT}.`);
}

/**
 * The port to use: the one asked for, or a free one for 0.
 * @param variable the environment variable that changes it, for the line that says that it is taken
 * @throws StackError when it is taken
 */
export async function choosePort(wanted: number, variable: string, host = LOOPBACK): Promise<number> {
  if (wanted === 0) return freePort();
  const obstacle = (await obstacleTo(wanted, host)) ?? (await isTakenOnLoopback6(wanted));
  if (obstacle === undefined) return wanted;
  const problem = obstacle === 'EADDRINUSE' ? 'is taken' : `cannot be used (${obstacle})`;
  throw new StackError(`Port ${wanted} ${problem}: set ${variable} to another one, or to 0 for any free one.`);
}

/** `localhost` may mean ::1 first, and there another program would answer: on a Mac AirPlay has port 5000. */
async function isTakenOnLoopback6(port: number): Promise<string | undefined> {
  const obstacle = await obstacleTo(port, '::1');
  // Anything else means that the machine has no IPv6.
  return obstacle === 'EADDRINUSE' ? obstacle : undefined;
}

async function obstacleTo(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    server.close();
  }
}
