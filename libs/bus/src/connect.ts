import { AuthorizationError, type NatsConnection, type Status } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { inboxPrefix, type BusUser } from '@rapport/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BusLog, BusObserver } from './observer.ts';
import { sendNow } from './send.ts';

export interface BusOptions {
  /** `nats://host:port`, several separated by commas. */
  servers: string;
  /** Whose rights and whose private inbox prefix this connection has. */
  as: BusUser;
  user?: string;
  password?: string;
  /** How long a request waits for its reply, in milliseconds. */
  requestTimeoutMs: number;
  observer: BusObserver;
}

/** A connection to NATS. Everything else in this library takes it as its first argument. */
export interface Bus {
  readonly connection: NatsConnection;
  readonly as: BusUser;
  readonly requestTimeoutMs: number;
  readonly observer: BusObserver;
}

/** Between two attempts to connect, in milliseconds. Half a second of jitter keeps a fleet from coming back as one. */
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 500;
/** A server that went silent is given up after 2 × 10 s. */
const PING_INTERVAL_MS = 10_000;

/**
 * Connects, and from then on reconnects for ever with its subscriptions. Waits for a server that is
 * not there yet, until `signal` is aborted.
 * @throws AuthorizationError at once when the server refuses the user or the password
 */
export async function connectBus(options: BusOptions, signal?: AbortSignal): Promise<Bus> {
  const { observer } = options;
  const connection = await firstConnection(options, observer.log, signal);
  void watch(connection, observer);
  observer.log.info({ server: connection.getServer() }, 'connected to NATS');
  return { connection, as: options.as, requestTimeoutMs: options.requestTimeoutMs, observer };
}

/** Sends what was published, handles what was received, then disconnects. Requests still waiting end with UNAVAILABLE. */
export async function closeBus(bus: Bus): Promise<void> {
  if (bus.connection.isClosed()) return;
  sendNow(bus.connection);
  await bus.connection.drain();
}

/** Resolves when a server has answered a ping over this connection. Rejects when there is none. */
export async function pingBus(bus: Bus): Promise<void> {
  await bus.connection.rtt();
}

/** Resolves when a server has everything that was published before. Rejects when the connection broke, and that may be lost. */
export async function flushBus(bus: Bus): Promise<void> {
  sendNow(bus.connection);
  await bus.connection.flush();
}

/** Calls `listener` whenever the connection was lost and is back, once its subscriptions are back too. */
export function onReconnected(bus: Bus, listener: () => void): void {
  const follow = async (): Promise<void> => {
    for await (const status of bus.connection.status()) {
      if (status.type !== 'reconnect') continue;
      await bus.connection.flush().then(listener, () => undefined);
    }
  };
  void follow();
}

async function firstConnection(options: BusOptions, log: BusLog, signal?: AbortSignal): Promise<NatsConnection> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await connect({
        servers: options.servers.split(','),
        ...(options.user !== undefined && { user: options.user }),
        ...(options.password !== undefined && { pass: options.password }),
        name: options.as,
        inboxPrefix: inboxPrefix(options.as),
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        reconnectJitter: RECONNECT_JITTER_MS,
        reconnectJitterTLS: RECONNECT_JITTER_MS,
        pingInterval: PING_INTERVAL_MS,
        // A password that is being rotated is refused for a moment; giving up would take the process down.
        ignoreAuthErrorAbort: true,
        noAsyncTraces: true,
      });
    } catch (error) {
      if (error instanceof AuthorizationError) throw error;
      log.warn({ why: error instanceof Error ? error.message : String(error) }, 'NATS is not reachable, trying again');
      await sleep(RECONNECT_WAIT_MS + Math.random() * RECONNECT_JITTER_MS, undefined, signal ? { signal } : {});
    }
  }
}

async function watch(connection: NatsConnection, observer: BusObserver): Promise<void> {
  for await (const status of connection.status()) logStatus(status, observer.log);
  const error = await connection.closed();
  if (error) observer.fatal(error);
}

function logStatus(status: Status, log: BusLog): void {
  switch (status.type) {
    case 'disconnect':
      log.warn({ server: status.server }, 'NATS connection lost, reconnecting');
      break;
    case 'reconnect':
      log.info({ server: status.server }, 'NATS connection is back');
      break;
    case 'error':
      log.error({ why: status.error.message }, 'NATS refused something');
      break;
    case 'slowConsumer':
      log.warn({ subject: status.sub.getSubject(), pending: status.pending }, 'a subscription is falling behind');
      break;
    default:
      log.debug({ status: status.type }, 'NATS connection status');
  }
}
