import type { GatewaySocket } from './gateway-socket.ts';

/** The room of the sockets whose clients do not keep up: what is of passing interest is not sent there. */
export const SLOW_ROOM = 'slow';

/**
 * Bounds what waits in memory for a client that does not read: from half of `maxBytes` on the socket is
 * in the slow room, above it `overflow` is called.
 */
export function boundBacklog(socket: GatewaySocket, maxBytes: number, overflow: () => void): void {
  const { conn } = socket;
  // What is queued goes to the transport as a whole, and only when the transport can take it.
  let queued = 0;
  let slow = false;
  const queue = (packet: { data?: unknown }): void => {
    queued += typeof packet.data === 'string' ? packet.data.length : 0;
    if (queued > maxBytes) overflow();
    else if (!slow && queued > maxBytes / 2) {
      slow = true;
      void socket.join(SLOW_ROOM);
    }
  };
  const flush = (): void => {
    queued = 0;
    if (!slow) return;
    slow = false;
    void socket.leave(SLOW_ROOM);
  };
  conn.on('packetCreate', queue).on('flush', flush);
  // The connection may stay, for another socket after this one.
  socket.on('disconnect', () => conn.off('packetCreate', queue).off('flush', flush));
}

/** Closes the connection of a client that does not read, and lets go of what waits for it. */
export function cutOffSlow({ conn }: GatewaySocket): void {
  // A WebSocket is closed by both sides, and this one's other side would not read that it is: for half a minute
  // the connection would stay, with all that is queued in it. The type hides the socket of the transport.
  const { socket } = conn.transport as unknown as { socket?: { terminate?: () => void } };
  conn.close(true);
  socket?.terminate?.();
}
