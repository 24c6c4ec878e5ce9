import type { KeyObject } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor, AuthenticationReason, Recipient } from '@rapport/contracts';
import type { ProcessContext } from '@rapport/service';
import { Server, type DefaultEventsMap, type Socket } from 'socket.io';
import { authenticate, AuthenticationError } from './authenticate.ts';
import { createDispatch } from './dispatch.ts';
import { createLanes } from './lanes.ts';
import { RawJson, rawJsonParser } from './raw-json.ts';
import { createSubscriptions, roomOf, type Subscriptions } from './subscriptions.ts';

interface SocketData {
  actor: Actor;
}
type GatewaySocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

// A connection that went silent is known to be dead after 25 s: presence depends on it.
const PING_INTERVAL_MS = 15_000;
const PING_TIMEOUT_MS = 10_000;
/** How much of the time for a stop may go to requests under way, so that their acks still go out. */
const FINISH_SHARE = 0.5;
const FINISH_POLL_MS = 20;

/** Accepts sockets on the HTTP server: who may connect, what they send, and what is delivered to them. */
export function startSockets(server: HttpServer, key: KeyObject, context: ProcessContext<'gateway'>): void {
  const { bus, config, log, metrics } = context;
  const io = new Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>(server, {
    parser: rawJsonParser,
    serveClient: false,
    // Deflate costs 255 KB per connection and twice the CPU, and a room emit would be encoded per socket.
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: config.MAX_MESSAGE_BYTES,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
    // A refused transport is tried again by the client on its own, a refused handshake is not.
    allowRequest: (_request, decide) => {
      const open = !context.stopping.aborted;
      decide(open ? null : 'stopping', open);
    },
  });
  const relayed = metrics.counter('rapport_deliveries_relayed_total', 'Deliveries passed on to sockets.', ['event']);
  const subscriptions = createSubscriptions(bus, (room, { event, text, except }) => {
    relayed.inc({ event });
    const target = io.local.to(room);
    (except ? target.except(except) : target).emit(event, new RawJson(text));
  });
  const lanes = createLanes();
  const dispatch = createDispatch(bus, lanes, log, context.stopping);
  metrics.gauge('rapport_sockets', 'Connected sockets.', () => io.of('/').sockets.size);
  metrics.gauge('rapport_recipients', 'Users and therapists listened for.', () => subscriptions.size);

  io.use((socket, next) => {
    admit(socket, key, subscriptions).then(
      () => next(),
      (error: unknown) => refuse(socket, error, next, context),
    );
  });
  io.on('connection', socket => {
    const { actor } = socket.data;
    const caller = {
      socketId: socket.id,
      actor,
      fail: (error: object) => void socket.emit('error', error),
    };
    log.debug({ socket: socket.id, user: actor.userId }, 'connected');
    socket.onAny((event: string, ...args: unknown[]) => void dispatch(caller, event, args));
  });
  context.onStop('sockets', async () => {
    const deadline = Date.now() + FINISH_SHARE * config.SHUTDOWN_TIMEOUT_MS;
    while (lanes.size > 0 && Date.now() < deadline) await sleep(FINISH_POLL_MS);
    await io.close();
  });
}

/** Lets a socket in: who it is, its rooms, and what is delivered to them from now on. */
async function admit(socket: GatewaySocket, key: KeyObject, subscriptions: Subscriptions): Promise<void> {
  const actor = authenticate(tokenOf(socket), key);
  const recipients: Exclude<Recipient, 'all'>[] = [
    { user: actor.userId },
    ...(actor.therapistId === undefined ? [] : [{ therapist: actor.therapistId }]),
  ];
  socket.data = { actor };
  const held = recipients.map(recipient => subscriptions.acquire(recipient));
  releaseWhenGone(socket, () => recipients.forEach(recipient => subscriptions.release(recipient)));
  await Promise.all(held);
  await socket.join(recipients.map(roomOf));
}

/** A socket may go at any moment, in the middle of its handshake too. */
function releaseWhenGone(socket: GatewaySocket, release: () => void): void {
  let released = false;
  const once = () => {
    if (released) return;
    released = true;
    release();
  };
  socket.once('disconnect', once);
  socket.conn.once('close', once);
  if (socket.conn.readyState === 'closed') once();
}

function tokenOf(socket: GatewaySocket): unknown {
  const { auth, headers } = socket.handshake;
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return (auth as { token?: unknown }).token ?? bearer;
}

function refuse(
  socket: GatewaySocket,
  error: unknown,
  next: (error: Error) => void,
  { log }: ProcessContext<'gateway'>,
): void {
  if (error instanceof AuthenticationError) {
    log.info({ reason: error.reason }, 'a handshake was refused');
    const data: { code: string; reason: AuthenticationReason } = { code: error.message, reason: error.reason };
    next(Object.assign(new Error(error.message), { data }));
    return;
  }
  // Not the client's fault: closing the transport makes it come back by itself.
  log.warn({ err: error }, 'a handshake failed');
  socket.conn.close();
}
