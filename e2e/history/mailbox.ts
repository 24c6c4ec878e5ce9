import type { Socket } from 'socket.io-client';
import { emit } from '../kit.ts';
import type { SeenMessage } from './history.ts';

/** A message with its place among the changes of its conversation. */
export interface PlacedMessage extends SeenMessage {
  readonly version: number;
  readonly previousVersion: number;
}

interface Synced {
  readonly messages: readonly PlacedMessage[];
  readonly conversations: readonly { readonly id: string; readonly syncedTo: number }[];
  readonly hasMore: boolean;
}

/** The messages that a client has, and up to where it knows that it has all of them: what the contract asks of clients. */
export interface Mailbox {
  /** One that came live, or with an ack. */
  take(message: PlacedMessage): void;
  /** Asks for everything that is missing. */
  sync(): Promise<void>;
  /** What the client shows. */
  readonly messages: readonly SeenMessage[];
}

/** The most that may be asked for at once. */
const PAGE = 500;

export function createMailbox(socket: Socket): Mailbox {
  const messages = new Map<string, PlacedMessage>();
  const cursors = new Map<string, number>();

  const page = async (): Promise<Synced> => {
    const ack = await emit(socket, 'message:sync', { cursors: Object.fromEntries(cursors), limit: PAGE });
    if (!ack.ok) throw new Error(`message:sync: ${ack.error.code}: ${ack.error.message}`);
    return ack.data as unknown as Synced;
  };

  return {
    take(message) {
      messages.set(message.id, message);
      const cursor = cursors.get(message.conversationId) ?? 0;
      // After a gap the cursor stays before it, until a sync has filled it.
      if (message.previousVersion === cursor) cursors.set(message.conversationId, message.version);
    },
    async sync() {
      for (;;) {
        const { messages: missed, conversations, hasMore } = await page();
        for (const message of missed) messages.set(message.id, message);
        const unknown = conversations.filter(({ id }) => !cursors.has(id));
        for (const { id, syncedTo } of conversations) cursors.set(id, cursors.has(id) ? syncedTo : 0);
        if (!hasMore && unknown.length === 0) return;
      }
    },
    get messages() {
      return [...messages.values()].toSorted((one, other) => one.version - other.version);
    },
  };
}
