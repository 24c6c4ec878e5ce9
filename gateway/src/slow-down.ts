import type { GatewaySocket } from './gateway-socket.ts';

/** The longest that a client is not read at first: a burst that was too large must not keep a person waiting. */
const FIRST_PAUSE_MS = 1_000;
/** The longest for one that goes on all the same: its pongs wait too, and after 10 s without one it counts as dead. */
const MAX_PAUSE_MS = 5_000;
/** Whoever is refused again within this time after a pause goes on. */
const GOES_ON_MS = 1_000;

interface Pause {
  until: number;
  longest: number;
}

const pauses = new WeakMap<GatewaySocket, Pause>();

/**
 * Reads nothing from a client for `milliseconds`, and longer when it was to be left alone already: what it sends
 * waits in its own kernel, so that a flood costs what is read at a time (64 KB) every five seconds and no more.
 */
export function slowDown(socket: GatewaySocket, milliseconds: number): void {
  // The type hides the socket of the transport; long-polling has none, and is slowed down by its round trips.
  const { socket: webSocket } = socket.conn.transport as unknown as { socket?: { pause(): void; resume(): void } };
  if (!webSocket) return;
  const now = performance.now();
  const pause = pauses.get(socket) ?? { until: -Infinity, longest: 0 };
  pauses.set(socket, pause);
  const isPaused = pause.until > now;
  if (!isPaused) {
    const goesOn = now - pause.until < GOES_ON_MS;
    pause.longest = goesOn ? Math.min(2 * pause.longest, MAX_PAUSE_MS) : FIRST_PAUSE_MS;
  }
  pause.until = Math.min(Math.max(pause.until, now) + milliseconds, now + pause.longest);
  if (isPaused) return;
  webSocket.pause();
  const resume = (): void => {
    const left = pause.until - performance.now();
    if (left > 0) setTimeout(resume, left);
    else webSocket.resume();
  };
  setTimeout(resume, pause.until - now);
}
