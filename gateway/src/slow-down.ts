import type { GatewaySocket } from './gateway-socket.ts';

/** The longest that a client is not read: its pongs wait too, and after 10 s without one it counts as dead. */
const MAX_PAUSE_MS = 2_000;

const pausedUntil = new WeakMap<GatewaySocket, number>();

/**
 * Reads nothing from a client for `milliseconds`, and longer when it was to be left alone already: what it sends
 * waits in its own kernel, so that a flood costs what is read at a time (64 KB) every two seconds and no more.
 */
export function slowDown(socket: GatewaySocket, milliseconds: number): void {
  // The type hides the socket of the transport; long-polling has none, and is slowed down by its round trips.
  const { socket: webSocket } = socket.conn.transport as unknown as { socket?: { pause(): void; resume(): void } };
  if (!webSocket) return;
  const now = performance.now();
  const before = pausedUntil.get(socket) ?? now;
  pausedUntil.set(socket, Math.min(Math.max(before, now) + milliseconds, now + MAX_PAUSE_MS));
  if (before > now) return;
  webSocket.pause();
  const resume = (): void => {
    const left = (pausedUntil.get(socket) ?? 0) - performance.now();
    if (left > 0) setTimeout(resume, left);
    else webSocket.resume();
  };
  setTimeout(resume, milliseconds);
}
