import type { Actor, UserInput } from '@rapport/contracts';

type TypingInput = UserInput<'message:typing'>;

export interface Typing {
  /** Notes what a socket just told somebody. */
  note(socketId: string, actor: Actor, input: TypingInput): void;
  /** The socket is gone: it has stopped typing to everybody. */
  leave(socketId: string): void;
}

/** Clients repeat themselves every few seconds while somebody types; after this silence they have stopped. */
const TYPING_TIMEOUT_MS = 6_000;

/**
 * Remembers who is told that somebody is typing, and tells them the end that the client did not: after
 * six seconds of silence, or when its socket goes.
 */
export function createTyping(tell: (actor: Actor, input: TypingInput, socketId: string) => void): Typing {
  const typing = new Map<string, Map<string, { timer: NodeJS.Timeout; stop: () => void }>>();

  const forget = (socketId: string, recipientId: string): void => {
    const recipients = typing.get(socketId);
    clearTimeout(recipients?.get(recipientId)?.timer);
    recipients?.delete(recipientId);
    if (recipients?.size === 0) typing.delete(socketId);
  };

  return {
    note(socketId, actor, { recipientId, isTyping }) {
      forget(socketId, recipientId);
      if (!isTyping) return;
      const stop = (): void => {
        forget(socketId, recipientId);
        tell(actor, { recipientId, isTyping: false }, socketId);
      };
      const recipients = typing.get(socketId) ?? new Map<string, { timer: NodeJS.Timeout; stop: () => void }>();
      recipients.set(recipientId, { timer: setTimeout(stop, TYPING_TIMEOUT_MS), stop });
      typing.set(socketId, recipients);
    },
    leave(socketId) {
      for (const { stop } of typing.get(socketId)?.values() ?? []) stop();
    },
  };
}
