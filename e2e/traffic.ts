import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { secret, type Ack } from './kit.ts';

/** A process that was killed is back after half a second and its own start; a client asks again by then. */
const ACK_TIMEOUT_MS = 6_000;
const RETRY_MS = 100;

export interface Acked {
  id: string;
  seq: number;
  clientMessageId: string;
  conversationId: string;
}

/** As a client does: again under the same id, until the server says that it is stored. */
export async function sendUntilAcked(socket: Socket, recipientId: string, clientMessageId: string): Promise<Acked> {
  const input = { recipientId, content: secret(), clientMessageId };
  for (;;) {
    const ack = (await socket
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck('message:send', input)
      .catch(() => undefined)) as Ack | undefined;
    if (ack?.ok) return { ...(ack.data as unknown as Acked), clientMessageId };
    if (ack && ack.error.code !== 'UNAVAILABLE') throw new Error(`${ack.error.code}: ${ack.error.message}`);
    // The test has failed and its sockets are closed: nobody waits for this any more.
    if (!socket.active) throw new Error('the client has disconnected');
    await sleep(RETRY_MS);
  }
}
