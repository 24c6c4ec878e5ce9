import { AppError } from '@rapport/contracts';
import type { ProcessContext } from '@rapport/service';
import { AuthenticationError, type Authenticate, type Identity } from './authenticate.ts';
import { recipientsOf, type GatewaySocket } from './gateway-socket.ts';
import { createSocketOrder } from './socket-order.ts';
import { createRateLimit, createSocketCount } from './rate-limits.ts';
import type { Revocations } from './revocations.ts';
import { roomOf, type Subscriptions } from './subscriptions.ts';
import type { UnreadCounts } from './unread-counts.ts';

export interface Admission {
  /** Lets a socket in: who it is, its rooms, and what is delivered to them from now on. @throws when it may not */
  admit(socket: GatewaySocket): Promise<void>;
  /** A newer token of the same user: the socket goes on with what that one says. */
  renew(socket: GatewaySocket, token: string): Promise<Identity>;
}

/** What is undone when a socket goes, at whatever point of its handshake. */
type Undo = () => void;

export function createAdmission(
  { config }: ProcessContext<'gateway'>,
  authenticate: Authenticate,
  revocations: Revocations,
  subscriptions: Subscriptions,
  unread: UnreadCounts,
): Admission {
  const perSecond = config.MAX_HANDSHAKES_PER_SECOND;
  const handshakes = createRateLimit('handshakes at the moment', perSecond, perSecond);
  const perUser = createSocketCount('user', config.MAX_SOCKETS_PER_USER);
  const perAddress = createSocketCount('address', config.MAX_SOCKETS_PER_ADDRESS);
  const renewals = createSocketOrder();
  /** Connections that have a socket, or a handshake under way. */
  const occupied = new WeakSet<GatewaySocket['conn']>();

  /** @returns what leaves the rooms again */
  const enterRooms = async (socket: GatewaySocket, identity: Identity): Promise<Undo> => {
    const recipients = recipientsOf(identity);
    const established = recipients.map(recipient => subscriptions.acquire(recipient));
    let entered = true;
    const undo = (): void => {
      if (entered) recipients.forEach(recipient => subscriptions.release(recipient));
      entered = false;
    };
    try {
      await Promise.all(established);
      await socket.join(recipients.map(roomOf));
      return undo;
    } catch (error) {
      undo();
      throw error;
    }
  };

  const renewOne = async (socket: GatewaySocket, token: string): Promise<Identity> => {
    const identity = await authenticate(token);
    revocations.check(identity);
    const { actor } = socket.data.identity;
    if (identity.actor.userId !== actor.userId) throw new AppError('UNAUTHORIZED', 'the token is of another user');
    if (identity.actor.therapistId !== actor.therapistId) {
      const leaveRooms = await enterRooms(socket, identity);
      socket.data.leaveRooms();
      if (actor.therapistId !== undefined) await socket.leave(roomOf({ therapist: actor.therapistId }));
      socket.data.leaveRooms = leaveRooms;
      if (!socket.connected) leaveRooms();
    }
    // It may have been revoked while its rooms were entered.
    revocations.check(identity);
    socket.data.identity = identity;
    return identity;
  };

  return {
    async admit(socket) {
      const { conn } = socket;
      // Socket.IO takes on every handshake that arrives before the first is through.
      if (occupied.has(conn) || conn.readyState !== 'open') {
        conn.close();
        throw new AppError('CONFLICT', 'the connection has a socket already, or is gone');
      }
      occupied.add(conn);
      const gone = whenGone(socket);
      gone.undo(() => occupied.delete(conn));
      try {
        handshakes.take('all');
        gone.undo(perAddress.enter(socket.handshake.address));
        const identity = await authenticate(tokenOf(socket));
        revocations.check(identity);
        gone.undo(perUser.enter(identity.actor.userId));
        socket.data = {
          identity,
          unread: undefined,
          pending: 0,
          leaving: false,
          away: false,
          leaveRooms: () => undefined,
        };
        gone.undo(() => socket.data.leaveRooms());
        socket.data.leaveRooms = await enterRooms(socket, identity);
        // Counted when nothing is missed any more: what comes later comes as an event, or makes the socket ask again.
        socket.data.unread = await unread.of(identity.actor.userId);
        if (conn.readyState !== 'open') socket.data.leaveRooms();
      } catch (error) {
        // The connection may live on and try again, with another token.
        gone.now();
        throw error;
      }
    },
    // One after the other: each starts from what the one before it made of the socket.
    renew: (socket, token) => renewals.alone(socket.id, () => renewOne(socket, token)),
  };
}

interface Gone {
  /** Registers what is undone when the socket goes; at once when it has gone. */
  undo(undo: Undo): void;
  /** Undoes all of it. */
  now(): void;
}

/** A socket may go at any moment, in the middle of its handshake too. Each registered undo runs once. */
function whenGone(socket: GatewaySocket): Gone {
  // Grown by `concat`, which leaves no room: there is one for every socket.
  let undos: Undo[] = [];
  let gone = false;
  const now = (): void => {
    if (gone) return;
    gone = true;
    // Its connection may have been there before it, and stay.
    socket.off('disconnect', now);
    socket.conn.off('close', now);
    const all = undos;
    undos = [];
    for (const undo of all) undo();
  };
  socket.on('disconnect', now);
  socket.conn.on('close', now);
  return {
    undo: undo => {
      if (gone || socket.conn.readyState === 'closed') undo();
      else undos = undos.concat(undo);
    },
    now,
  };
}

function tokenOf(socket: GatewaySocket): unknown {
  const { auth, headers } = socket.handshake;
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return (auth as { token?: unknown }).token ?? bearer;
}

/** What a refused client gets as `connect_error`; `undefined` when it is not its fault. */
export function refusal(error: unknown): Error | undefined {
  if (error instanceof AuthenticationError) {
    return Object.assign(new Error(error.message), { data: { code: error.message, reason: error.reason } });
  }
  if (error instanceof AppError && error.code !== 'UNAVAILABLE') {
    const { code, retryAfterMs } = error;
    return Object.assign(new Error(code), { data: { code, reason: error.message, retryAfterMs } });
  }
  return undefined;
}
