import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { startFlood, type FloodReport } from './flood.ts';
import { connectClient } from './socket-io-client.ts';
import { openWebSocket, type Target, type WebSocket } from './web-socket.ts';

// A process with the clients that mean harm, or that a broken library made.

interface User {
  readonly target: Target;
  readonly secret: string;
  readonly user: string;
}

const silent = new Set<WebSocket>();
let closedAfterSeconds: number[] = [];
let stopFlood: (() => FloodReport) | undefined;

const commands = {
  /** Opens WebSockets and sends nothing over them. Resolves when all of them are open. */
  async openSilently({ target, count }: { target: Target; count: number }): Promise<void> {
    closedAfterSeconds = [];
    await Promise.all(Array.from({ length: count }, () => openSilently(target)));
  },
  silentOnes: () => ({ open: silent.size, closedAfterSeconds }),

  /** Connects and then reads nothing any more. */
  async stopReading({ target, secret, user }: User): Promise<void> {
    const client = await connectClient(target, tokenOf(user, secret));
    client.webSocket.stopReading();
  },

  startFlood({ target, secret, user, perSecond }: User & { perSecond: number }): void {
    stopFlood = startFlood({ target, token: tokenOf(user, secret), perSecond });
  },
  stopFlood: () => stopFlood?.() ?? { sent: 0, answers: {}, disconnected: 0 },
};

function tokenOf(user: string, secret: string): string {
  return sign({ sub: user, exp: inSeconds(3_600) }, secret);
}

function openSilently(target: Target): Promise<void> {
  return new Promise(resolve => {
    let openedAt = 0;
    const webSocket = openWebSocket(target, {
      open: () => {
        openedAt = performance.now();
        silent.add(webSocket);
        resolve();
      },
      text: () => undefined,
      close: () => {
        if (silent.delete(webSocket)) closedAfterSeconds.push((performance.now() - openedAt) / 1_000);
        resolve();
      },
    });
  });
}

export type HostileCommands = typeof commands;
answerParent(commands);
