import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewaySocket } from './gateway-socket.ts';

/** Sockets are sent away in groups, this often. */
const GROUP_EVERY_MS = 50;
const PENDING_POLL_MS = 10;

/**
 * Sends all clients away, spread over `overMs`, so that they do not all come back to the others at once.
 * Their transports are closed, which a client takes for a lost connection and mends; `disconnectSockets()`
 * would keep it from reconnecting.
 * @param pendingMs how much longer a socket is kept for a request that is under way, so that its ack still goes out
 */
export async function drain(sockets: readonly GatewaySocket[], overMs: number, pendingMs: number): Promise<void> {
  const deadline = performance.now() + overMs + pendingMs;
  const groups = Math.max(1, Math.floor(overMs / GROUP_EVERY_MS));
  const left = [...sockets];
  const closing: Promise<void>[] = [];
  for (let group = groups; group > 0 && left.length > 0; group--) {
    const size = Math.ceil(left.length / group);
    closing.push(...left.splice(0, size).map(socket => closeWhenAnswered(socket, deadline)));
    if (left.length > 0) await sleep(GROUP_EVERY_MS * (0.5 + Math.random()));
  }
  await Promise.all(closing);
}

async function closeWhenAnswered(socket: GatewaySocket, deadline: number): Promise<void> {
  // From now on what it asks for is refused: as long as it were answered, it would never be done.
  socket.data.leaving = true;
  while (socket.data.pending > 0 && performance.now() < deadline) await sleep(PENDING_POLL_MS);
  socket.conn.close();
}
