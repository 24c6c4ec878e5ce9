import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '@rapport/local-stack';
import { connected, type Ack } from '../kit.ts';
import type { SeenMessage } from './history.ts';
import type { Recorder } from './recorder.ts';

/** A client that sends until it knows, as the contract tells clients to, and writes down all of it. */
export interface RecordedClient {
  readonly user: string;
  /** Resolves when the server has said what became of it: stored, or never to be under this key. */
  send(recipientId: string, clientMessageId: string, content: string): Promise<void>;
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
  for (const event of ['message:received', 'message:sent'] as const) {
    socket.on(event, (message: SeenMessage) => recorder.received({ user, socket: socket.id ?? '', event, message }));
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
      recorder.acked(call, ack.data as unknown as SeenMessage);
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
    disconnect: () => void socket.disconnect(),
  };
}
