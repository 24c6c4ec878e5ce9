import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Socket as Connection } from 'node:net';
import { setInterval as every, setTimeout as sleep } from 'node:timers/promises';
import { onReconnected, requestForUser, type Delivery } from '@rapport/bus';
import {
  followsPresenceState,
  isDroppable,
  MAX_CONTENT_CHARACTERS,
  PROTOCOL,
  type Config,
  type GatewayActor,
} from '@rapport/contracts';
import type { ProcessContext } from '@rapport/service';
import { Server } from 'socket.io';
import { createAdmission, refusal } from './admission.ts';
import type { Authenticate } from './authenticate.ts';
import { boundBacklogs, cutOffSlow, SLOW_ROOM } from './backlog.ts';
import { corkWrites } from './cork.ts';
import { createDispatch } from './dispatch.ts';
import { drain } from './drain.ts';
import type { GatewayServer, GatewaySocket } from './gateway-socket.ts';
import { createInOrder } from './in-order.ts';
import { createPresenceStates } from './presence-states.ts';
import { createRateLimit } from './rate-limits.ts';
import { RawJson, rawJsonParser } from './raw-json.ts';
import type { Revocations } from './revocations.ts';
import { startSessionReports } from './session-reports.ts';
import { createSocketOrder } from './socket-order.ts';
import { createSubscriptions, isRoom, roomOf } from './subscriptions.ts';
import { createTyping } from './typing.ts';
import { createUnreadCounts } from './unread-counts.ts';

// A connection that went silent is known to be dead after 25 s: presence depends on it.
const PING_INTERVAL_MS = 15_000;
const PING_TIMEOUT_MS = 10_000;
/** Expired tokens are looked for this often. */
const SWEEP_EVERY_MS = 500;
/** What clients get to answer that their connection is closed, when the gateway stops. */
const CLOSE_MS = 300;
/** Over how long the sockets are told to ask again, when NATS was away: not all of them at once. */
const RESYNC_SPREAD_MS = 5_000;

/** Accepts sockets on the HTTP server: who may connect, what they send, and what is delivered to them. */
export function startSockets(
  server: HttpServer,
  {
    authenticate,
    revocations,
    actor: gateway,
  }: { authenticate: Authenticate; revocations: Revocations; actor: GatewayActor },
  context: ProcessContext<'gateway'>,
): void {
  const { bus, config, log, metrics, stopping } = context;
  const io: GatewayServer = new Server(server, {
    parser: rawJsonParser,
    serveClient: false,
    // Deflate costs 255 KB per connection and twice the CPU, and a room emit would be encoded per socket.
    perMessageDeflate: false,
    httpCompression: false,
    cors: { origin: config.ALLOWED_ORIGINS.includes('*') ? '*' : config.ALLOWED_ORIGINS },
    maxHttpBufferSize: config.MAX_MESSAGE_BYTES,
    connectTimeout: config.HANDSHAKE_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
    // A refused transport is tried again by the client on its own, a refused handshake is not.
    allowRequest: (request, decide) => {
      const reason = stopping.aborted ? 'stopping' : isAllowedOrigin(request, config) ? null : 'origin';
      decide(reason, reason === null);
    },
  });
  corkWrites(io);
  const sockets = io.of('/').sockets;
  const relayed = metrics.counter('rapport_deliveries_relayed_total', 'Deliveries passed on to sockets.', ['event']);
  // To look one up by its label costs more than to count; there are as many as events.
  const counts = new Map<string, { inc(): void }>();
  const countOf = (event: string): { inc(): void } => {
    const count = counts.get(event) ?? relayed.labels({ event });
    counts.set(event, count);
    return count;
  };
  const refused = metrics.counter('rapport_handshakes_refused_total', 'Handshakes refused, by code.', ['code']);
  const overflowed = metrics.counter('rapport_sockets_overflowed_total', 'Sockets closed: their client did not read.');
  metrics.gauge('rapport_sockets', 'Connected sockets.', () => sockets.size);
  metrics.gauge('rapport_recipients', 'Users and therapists listened for.', () => subscriptions.size);

  /** Sockets to which something was delivered before they were connected, when Socket.IO does not send it. */
  const missed = new Set<string>();
  const noteMissed = (ids: ReadonlySet<string> | undefined): void => {
    for (const id of ids ?? []) if (!sockets.has(id)) missed.add(id);
  };
  const states = createPresenceStates({ bus, log, actor: gateway, stopping });
  const relay = (room: string | undefined, delivery: Delivery): void => {
    const { event, except } = delivery;
    countOf(event).inc();
    const isAboutPresence = followsPresenceState(event);
    const left = isAboutPresence ? states.hold(room, delivery) : [];
    if (except) left.push(except);
    const inRoom = room === undefined ? undefined : io.of('/').adapter.rooms.get(room);
    // Who is there is asked for once the socket is connected; everybody is told of nothing else.
    if (!isAboutPresence && !isDroppable(event)) {
      noteMissed(inRoom);
      if (room !== undefined && !left.some(isRoom)) {
        // Most people have one socket, and what it sent comes back for their others.
        const [first, second] = othersIn(inRoom, left);
        if (first === undefined) return;
        // To send to one costs a third of what it costs to ask for all of a room but some.
        if (second === undefined) {
          sockets.get(first)?.emit(event, new RawJson(delivery.text));
          return;
        }
      }
    }
    if (isDroppable(event)) left.push(SLOW_ROOM);
    const recipients = room === undefined ? io.local : io.local.to(room);
    recipients.except(left).emit(event, new RawJson(delivery.text));
  };
  const inOrder = createInOrder(relay);
  metrics.gauge('rapport_deliveries_held', 'Deliveries that wait for one before them.', () => inOrder.held);
  const pass = (room: string | undefined, delivery: Delivery): void => {
    // What everybody gets has no order among what is one user's.
    if (room === undefined) relay(room, delivery);
    else inOrder.pass(room, delivery, Date.now());
  };
  const subscriptions = createSubscriptions(bus, pass, room => inOrder.leave(room));
  const reports = startSessionReports({
    bus,
    log,
    actor: gateway,
    sockets,
    onReported: (joined, told) => states.hand(joined, told),
    onRevocation: number => revocations.heardOf(number),
  });
  context.onStop('session reports', () => reports.stop());
  const order = createSocketOrder();
  const typing = createTyping((actor, input, socketId) => {
    // In the order of the socket: through another replica it could overtake what the socket said before or says next.
    order
      .alone(socketId, () => requestForUser(bus, 'message:typing', { actor, input }))
      .catch((error: unknown) => log.debug({ err: error }, 'the end of typing was not told'));
  });
  const admission = createAdmission(
    context,
    authenticate,
    revocations,
    subscriptions,
    createUnreadCounts({ bus, log, actor: gateway }),
  );
  const limit = createRateLimit('events', config.RATE_LIMIT_BURST, config.RATE_LIMIT_PER_SECOND);
  const dispatch = createDispatch({
    bus,
    log,
    metrics,
    limit,
    typing,
    order,
    own: {
      'auth:refresh': async (socket, { token }) => {
        const { expiresAt } = await admission.renew(socket, token);
        return { expiresAt: new Date(expiresAt).toISOString() };
      },
      'presence:set': async (socket, { status }) => {
        await reports.set(socket, status);
        return {};
      },
    },
  });

  io.use((socket, next) => {
    admission.admit(socket).then(
      () => next(),
      (error: unknown) => {
        const told = refusal(error);
        refused.inc({ code: told?.message ?? 'UNAVAILABLE' });
        if (told) {
          log.debug({ code: told.message }, 'a handshake was refused');
          next(told);
          return;
        }
        // Not the client's fault: closing the transport makes it come back by itself.
        log.warn({ err: error }, 'a handshake failed');
        socket.conn.close();
      },
    );
  });
  const boundBacklog = boundBacklogs(config.MAX_QUEUED_BYTES, socket => {
    overflowed.inc();
    cutOffSlow(socket);
  });
  // One function for all sockets: a closure for each would cost each of them its memory.
  const onEvent = function (this: GatewaySocket, event: unknown, ...args: unknown[]): void {
    // The wire format allows a number for a name.
    dispatch(this, String(event), args);
  };
  const onDisconnect = function (this: GatewaySocket): void {
    typing.leave(this.id);
    states.forget(this);
    reports.leave(this);
  };
  io.on('connection', socket => {
    boundBacklog(socket);
    forgetRequest(socket);
    socket.onAny(onEvent).on('disconnect', onDisconnect);
    if (revocations.isRevoked(socket.data.identity)) {
      endRevoked(socket);
      return;
    }
    socket.emit('session:ready', { ...sessionReady(config), ...socket.data.unread });
    // Not deleted: that would make the object one that takes more memory than what it holds.
    socket.data.unread = undefined;
    if (missed.delete(socket.id)) socket.emit('sync:required', {});
    states.expect(socket);
    reports.join(socket);
  });
  revocations.onRevoked(userId => {
    const ids = io.of('/').adapter.rooms.get(roomOf({ user: userId })) ?? [];
    for (const id of ids) {
      const socket = sockets.get(id);
      if (socket && revocations.isRevoked(socket.data.identity)) endRevoked(socket);
    }
  });

  const cutOff = cutOffAfter(server, CLOSE_MS);
  const forget = (): void => {
    limit.forget();
    inOrder.forget(Date.now());
    // Those whose handshake was broken off.
    for (const id of missed) if (!io.of('/').adapter.sids.has(id)) missed.delete(id);
  };
  const sweeping = sweep(sockets, forget, stopping);
  onReconnected(bus, () => tellToSync([...sockets.values()]));
  context.onStop('sockets', async () => {
    await sweeping;
    // Half of the deadline for all to go, a quarter for what they still wait for, and the rest for the stop itself.
    const deadlineMs = config.SHUTDOWN_TIMEOUT_MS;
    await drain([...sockets.values()], Math.min(config.DRAIN_MS, deadlineMs / 2), deadlineMs / 4);
    await Promise.all([io.close(), cutOff()]);
    subscriptions.close();
  });
}

/** The sockets that are not left out, or the first two of them. */
function othersIn(sockets: ReadonlySet<string> | undefined, left: readonly string[]): string[] {
  const others: string[] = [];
  for (const id of sockets ?? []) {
    if (others.length < 2 && !left.includes(id)) others.push(id);
  }
  return others;
}

const NOTHING = Object.freeze({});

/**
 * Socket.IO keeps the HTTP request and the handshake for as long as the socket lives: 2 KB of headers nobody asks
 * for any more, and the token.
 */
function forgetRequest({ conn, handshake }: GatewaySocket): void {
  Object.assign(handshake, { headers: NOTHING, query: NOTHING, auth: NOTHING });
  Object.assign(conn, { request: undefined });
}

/** Programs send no Origin; a page always does, and cannot choose it. */
function isAllowedOrigin({ headers: { origin } }: IncomingMessage, { ALLOWED_ORIGINS }: Config<'gateway'>): boolean {
  return origin === undefined || ALLOWED_ORIGINS.includes('*') || ALLOWED_ORIGINS.includes(origin);
}

function sessionReady(config: Config<'gateway'>) {
  return {
    serverTime: new Date().toISOString(),
    protocol: PROTOCOL,
    limits: {
      maxMessageBytes: config.MAX_MESSAGE_BYTES,
      maxContentCharacters: MAX_CONTENT_CHARACTERS,
      rateLimitBurst: config.RATE_LIMIT_BURST,
      rateLimitPerSecond: config.RATE_LIMIT_PER_SECOND,
    },
  };
}

function endRevoked(socket: GatewaySocket): void {
  socket.emit('error', { code: 'AUTHENTICATION_FAILED', message: 'the token was revoked', reason: 'revoked' });
  socket.disconnect(true);
}

/** Ends the sockets whose token has expired, and forgets what need not be remembered. */
async function sweep(
  sockets: ReadonlyMap<string, GatewaySocket>,
  forget: () => void,
  stopping: AbortSignal,
): Promise<void> {
  try {
    for await (const _ of every(SWEEP_EVERY_MS, undefined, { signal: stopping })) {
      const now = Date.now();
      for (const socket of sockets.values()) {
        if (socket.data.identity.expiresAt > now) continue;
        socket.emit('error', { code: 'AUTHENTICATION_FAILED', message: 'the token has expired', reason: 'expired' });
        socket.disconnect(true);
      }
      forget();
    }
  } catch (error) {
    if (!stopping.aborted) throw error;
  }
}

/**
 * The server closes when its last connection has: one whose peer does not answer, or began a request and never
 * ended it, would keep it from that.
 * @returns destroys the connections that are still there after `graceMs`
 */
function cutOffAfter(server: HttpServer, graceMs: number): () => Promise<void> {
  const connections = new Set<Connection>();
  const forget = function (this: Connection): void {
    connections.delete(this);
  };
  server.on('connection', connection => {
    connections.add(connection.on('close', forget));
  });
  return async () => {
    await sleep(graceMs);
    for (const connection of connections) connection.destroy();
  };
}

function tellToSync(sockets: readonly GatewaySocket[]): void {
  for (const socket of sockets) {
    setTimeout(() => {
      if (socket.connected) socket.emit('sync:required', {});
    }, Math.random() * RESYNC_SPREAD_MS);
  }
}
