import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient, requestPacket } from './socket-io-client.ts';
import { textFrame, type Target, type WebSocket } from './web-socket.ts';

export interface FloodOptions {
  readonly target: Target;
  readonly token: string;
  /** Events a second; 0: as fast as the server takes them. */
  readonly perSecond: number;
}

export interface FloodReport {
  readonly sent: number;
  /** How often which code was answered, `OK` among them. */
  readonly answers: Record<string, number>;
  /** How often the server ended the connection. */
  readonly disconnected: number;
}

/** At full speed, what is handed to the kernel at a time. */
const CHUNK_BYTES = 65_536;
const TICK_MS = 10;
/** A real client waits longer than this before it comes back. */
const COME_BACK_AFTER_MS = 100;

/** Sends events over one socket from now on, and comes back when it is sent away. @returns what ends it */
export function startFlood({ target, token, perSecond }: FloodOptions): () => FloodReport {
  const report = { sent: 0, answers: {} as Record<string, number>, disconnected: 0 };
  // Made once: the flood is to cost the server, not the machine that both of them share.
  const frame = textFrame(requestPacket(1, 'message:send', { recipientId: 'nobody', content: 'x'.repeat(60) }));
  const atOnce = perSecond > 0 ? Math.ceil((perSecond * TICK_MS) / 1_000) : Math.floor(CHUNK_BYTES / frame.length);
  const frames = Buffer.concat(Array.from({ length: atOnce }, () => frame));
  let on = true;

  const countAnswer = (ack: string): void => {
    const code = /"code":"([A-Z_]+)"/.exec(ack)?.[1] ?? 'OK';
    report.answers[code] = (report.answers[code] ?? 0) + 1;
  };
  const send = (webSocket: WebSocket): void => {
    if (!on) {
      webSocket.destroy();
      return;
    }
    report.sent += atOnce;
    webSocket.sendFrames(frames, () => void setTimeout(() => send(webSocket), perSecond > 0 ? TICK_MS : 0));
  };
  const run = async (): Promise<void> => {
    while (on) {
      const closed = Promise.withResolvers<void>();
      try {
        const client = await connectClient(target, token, { answer: countAnswer, close: closed.resolve });
        send(client.webSocket);
        await closed.promise;
        if (on) report.disconnected += 1;
      } catch {
        // Refused at the door: it tries again.
      }
      await sleep(COME_BACK_AFTER_MS);
    }
  };
  void run();
  return () => {
    on = false;
    return report;
  };
}
