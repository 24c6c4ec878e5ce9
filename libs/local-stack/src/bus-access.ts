import { closeBus, connectBus, provision, type BusObserver } from '@rapport/bus';
import { BUS_USERS, type BusUser, type FactConsumer } from '@rapport/contracts';
import type { Nats } from './nats.ts';
import type { Output } from './output.ts';
import type { Environment } from './process-environment.ts';
import { StackError } from './stack-error.ts';

/** How one user connects to NATS. */
export interface BusCredentials {
  /** Without credentials. */
  readonly server: string;
  readonly user: string;
  readonly password: string;
  /** With them. */
  readonly url: string;
}

export type BusAccess = Readonly<Record<BusUser, BusCredentials>>;

const PROVISIONING_TIMEOUT_MS = 10_000;

/** Everybody has their own user on the stack's own server. */
export function accessToOwn({ server, passwords, urls }: Nats): BusAccess {
  return forEveryone(user => ({ server, user, password: passwords[user], url: urls[user] }));
}

/** For a server of somebody else's that was named without a user: one that asks for none takes any. */
const NOBODY = 'local';

/** Somebody else's server has one user for all that the stack connects. */
export function accessToForeign(natsUrl: string, outer: Environment): BusAccess {
  const url = new URL(natsUrl);
  url.username ||= encodeURIComponent(outer['NATS_USER'] || NOBODY);
  url.password ||= encodeURIComponent(outer['NATS_PASSWORD'] || NOBODY);
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return forEveryone(() => ({ server: `${url.protocol}//${url.host}`, user, password, url: url.href }));
}

/** Makes the stream of facts and its consumers. */
export async function provisionBus(
  { server, user, password }: BusCredentials,
  output: Output,
  { consumers, signal }: { consumers?: readonly FactConsumer[]; signal?: AbortSignal },
): Promise<void> {
  const options = {
    servers: server,
    as: 'provisioner',
    user,
    password,
    requestTimeoutMs: PROVISIONING_TIMEOUT_MS,
  } as const;
  const bus = await connectBus({ ...options, observer: observe(output) }, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    const { message } = error as Error;
    throw new StackError(`The NATS server ${server} refuses the user ${user}: ${message}.`);
  });
  try {
    await provision(bus, { replicas: 1, ...(consumers && { consumers }) });
  } finally {
    await closeBus(bus);
  }
}

/** Only what went wrong is worth a line. */
export function observe(output: Output): BusObserver {
  const say = (_fields: object, message: string) => output.line('provision', message);
  const nothing = () => {};
  return {
    log: { debug: nothing, info: nothing, warn: say, error: say },
    requestEnded: nothing,
    answerEnded: nothing,
    setAside: nothing,
    consumed: nothing,
    fatal: error => output.line('provision', error.message),
  };
}

function forEveryone(credentials: (user: BusUser) => BusCredentials): BusAccess {
  return Object.fromEntries(BUS_USERS.map(user => [user, credentials(user)])) as Record<BusUser, BusCredentials>;
}
