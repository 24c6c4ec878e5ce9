import type { GatewaySocket } from './gateway-socket.ts';

/** The room of the sockets whose clients do not keep up: what is of passing interest is not sent there. */
export const SLOW_ROOM = 'slow';

type Connection = GatewaySocket['conn'];

interface Backlog {
  readonly socket: GatewaySocket;
  /** Bytes. What is queued goes to the transport as a whole, and only when the transport can take it. */
  queued: number;
  slow: boolean;
}

/**
 * Bounds what waits in memory for a client that does not read: from half of `maxBytes` on the socket is
 * in the slow room, above it `overflow` is called.
 * @returns what begins to do so for a socket; the functions are the same for all, to cost none of them its memory
 */
export function boundBacklogs(maxBytes: number, overflow: (socket: GatewaySocket) => void) {
  const backlogs = new WeakMap<Connection, Backlog>();
  const queue = function (this: Connection, packet: { data?: unknown }): void {
    const backlog = backlogs.get(this);
    if (!backlog) return;
    backlog.queued += typeof packet.data === 'string' ? packet.data.length : 0;
    if (backlog.queued > maxBytes) overflow(backlog.socket);
    else if (!backlog.slow && backlog.queued > maxBytes / 2) {
      backlog.slow = true;
      void backlog.socket.join(SLOW_ROOM);
    }
  };
  const flush = function (this: Connection): void {
    const backlog = backlogs.get(this);
    if (!backlog) return;
    backlog.queued = 0;
    if (!backlog.slow) return;
    backlog.slow = false;
    void backlog.socket.leave(SLOW_ROOM);
  };
  // The connection may stay, for another socket after this one.
  const end = function (this: GatewaySocket): void {
    this.conn.off('packetCreate', queue).off('flush', flush);
  };
  return (socket: GatewaySocket): void => {
    backlogs.set(socket.conn, { socket, queued: 0, slow: false });
    socket.conn.on('packetCreate', queue).on('flush', flush);
    socket.on('disconnect', end);
  };
}

/** Closes the connection of a client that does not read, and lets go of what waits for it. */
export function cutOffSlow({ conn }: GatewaySocket): void {
  // A WebSocket is closed by both sides, and this one's other side would not read that it is: for half a minute
  // the connection would stay, with all that is queued in it. The type hides the socket of the transport.
  const { socket } = conn.transport as unknown as { socket?: { terminate?: () => void } };
  conn.close(true);
  socket?.terminate?.();
}
