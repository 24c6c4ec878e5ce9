import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '@rapport/local-stack';
import { connected, type Ack } from '../kit.ts';
import type { View } from './history.ts';
import { createMailbox, type PlacedMessage } from './mailbox.ts';
import type { Recorder } from './recorder.ts';

/** A client that sends until it knows, as the contract tells clients to, and writes down all of it. */
export interface RecordedClient {
  readonly user: string;
  /** Resolves when the server has said what became of it: stored, or never to be under this key. */
  send(recipientId: string, clientMessageId: string, content: string): Promise<void>;
  /** What the client shows after it has asked for what it missed, and what a new one of the user would show. */
  views(): Promise<View[]>;
  disconnect(): void;
}

/** A process that was killed is back after half a second and its own start; a client asks again by then. */
const ACK_TIMEOUT_MS = 6_000;
const RETRY_MS = 100;
/** These say that sending again is safe, and worth it. */
const AGAIN: readonly string[] = ['UNAVAILABLE', 'RATE_LIMITED'];

export async function recordedClient(
  stack: Stack,
  user: string,
  gateway: number,
  recorder: Recorder,
): Promise<RecordedClient> {
  const socket = await connected(stack, user, { gateway });
  const mailbox = createMailbox(socket);
  for (const event of ['message:received', 'message:sent'] as const) {
    socket.on(event, (message: PlacedMessage) => {
      recorder.received({ user, socket: socket.id ?? '', event, message });
      mailbox.take(message);
    });
  }

  const trySend = async (recipientId: string, clientMessageId: string, content: string): Promise<boolean> => {
    if (!socket.connected) await new Promise(resolve => socket.once('connect', () => resolve(undefined)));
    const call = recorder.sent({ user, socket: socket.id ?? '', recipientId, clientMessageId, content });
    const sending = socket
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck('message:send', { recipientId, clientMessageId, content });
    const ack = (await sending.catch(() => undefined)) as Ack | undefined;
    if (!ack) return false;
    if (ack.ok) {
      const message = ack.data as unknown as PlacedMessage;
      recorder.acked(call, message);
      mailbox.take(message);
      return true;
    }
    recorder.refused(call, ack.error.code);
    if (ack.error.code !== 'CONFLICT' && !AGAIN.includes(ack.error.code)) {
      throw new Error(`${ack.error.code}: ${ack.error.message}`);
    }
    return ack.error.code === 'CONFLICT';
  };

  return {
    user,
    async send(recipientId, clientMessageId, content) {
      while (!(await trySend(recipientId, clientMessageId, content))) {
        // The test has failed and its sockets are closed: nobody waits for this any more.
        if (!socket.active) throw new Error('the client has disconnected');
        await sleep(RETRY_MS);
      }
    },
    async views() {
      const fresh = createMailbox(socket);
      await mailbox.sync();
      await fresh.sync();
      return [mailbox, fresh].map(({ messages }) => ({ user, messages }));
    },
    disconnect: () => void socket.disconnect(),
  };
}
