import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { Nats } from '@rapport/local-stack';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { runChild, type Child } from '../../libs/service/test/child.ts';
import { atEnd, temporaryFolder, until } from '../../libs/service/test/kit.ts';
import { inSeconds, sign } from './token.ts';

export const SECRET = 'a secret of the tests, 32 bytes at least';

/** A gateway of its own process. Where nothing but the gateway is meant, it needs no service behind it. */
export interface GatewayProcess {
  readonly child: Child;
  readonly url: string;
  /** The value of a metric, of all its labels together. */
  metric(name: string): Promise<number>;
}

/** Runs a gateway on that NATS server until the end of the file, with no limit but those that are asked for. */
export async function runningGateway(nats: Nats, environment: Record<string, string> = {}): Promise<GatewayProcess> {
  // Nobody was ever revoked, and no presence service has to be asked.
  const revocations = join(temporaryFolder(), 'revocations.jsonl');
  writeFileSync(revocations, '');
  const child = runChild('gateway/src/main.ts', {
    NATS_URL: nats.server,
    NATS_USER: 'gateway',
    NATS_PASSWORD: nats.passwords.gateway,
    HOST: '127.0.0.1',
    PORT: '0',
    OPS_HOST: '127.0.0.1',
    OPS_PORT: '0',
    LOG_LEVEL: 'debug',
    DRAIN_MS: '200',
    REVOCATIONS_PATH: revocations,
    ...('JWT_PUBLIC_KEY' in environment || 'JWKS_URI' in environment ? {} : { JWT_SECRET: SECRET }),
    ...environment,
  });
  const { port } = await child.logged('accepting connections');
  const { opsPort } = await child.logged('ready');
  return {
    child,
    url: `http://127.0.0.1:${String(port)}`,
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${String(opsPort)}/metrics`)).text();
      const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (.+)$`, 'gm'))].map(([, value]) => value);
      return values.reduce((sum, value) => sum + Number(value), 0);
    },
  };
}

/** Asks it to end, and expects that it does so in good order. */
export async function stopped({ child }: GatewayProcess): Promise<void> {
  child.process.kill('SIGTERM');
  const code = await child.ended;
  expect({ code, errors: child.errors }).toEqual({ code: 0, errors: [] });
}

export const tokenFor = (userId: string, claims: object = {}): string =>
  sign({ sub: userId, exp: inSeconds(3_600), ...claims }, SECRET);

/** A stock client, not connected yet; disconnected at the end of the file. */
export function clientWith(
  { url }: Pick<GatewayProcess, 'url'>,
  token: unknown,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Socket {
  const socket = io(url, {
    ...(token !== undefined && { auth: { token } }),
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
    autoConnect: false,
    ...options,
  });
  atEnd(() => socket.disconnect());
  return socket;
}

/** … and connected as that user. */
export async function connectedTo(
  gateway: GatewayProcess,
  userId: string,
  { claims = {}, ...options }: Partial<ManagerOptions & SocketOptions> & { claims?: object } = {},
): Promise<Socket> {
  return connect(clientWith(gateway, tokenFor(userId, claims), options));
}

export function connect(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket
      .once('connect', () => resolve(socket))
      .once('connect_error', reject)
      .connect();
  });
}

/** How the gateway refuses the client: `message` and `data` of its `connect_error`. */
export function refusalOf(socket: Socket): Promise<{ message: string; data?: unknown }> {
  return new Promise((resolve, reject) => {
    socket
      .once('connect_error', (error: Error & { data?: unknown }) =>
        resolve({ message: error.message, data: error.data }),
      )
      .once('connect', () => reject(new Error('it was let in')))
      .connect();
  });
}

/** Why the socket's connection ends. */
export async function endOf(socket: Socket): Promise<string> {
  return new Promise(resolve => socket.once('disconnect', resolve));
}

/** Resolves when the gateway counts that many sockets. */
export async function sockets(gateway: GatewayProcess, count: number): Promise<void> {
  await until(async () => (await gateway.metric('rapport_sockets')) === count);
}
