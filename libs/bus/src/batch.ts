import {
  ERROR_CODES,
  HEADERS,
  type Ack,
  type Actor,
  type ErrorCode,
  type UserInput,
  type UserRequestName,
} from '@rapport/contracts';
import type { Msg } from '@nats-io/nats-core';

// The batch form of a user's request. A header of the reply says how long each reply in it is, so that a gateway can
// part them without parsing what it only passes on.

/** One body of a batch, as JSON. */
export function encodeBatchItem<N extends UserRequestName>(body: {
  actor: Actor;
  input: UserInput<N>;
  socketId?: string;
}): string {
  return JSON.stringify(body);
}

/** The list of JSON texts as one JSON text, and what goes into the header beside it. */
export function joinReplies(texts: readonly string[]): { text: string; lengths: string } {
  return { text: `[${texts.join(',')}]`, lengths: texts.map(text => text.length).join(' ') };
}

/**
 * Parts the reply to a batch of `count` requests.
 * @throws Error when it is not a list of as many
 */
export function partReplies(message: Msg, count: number): string[] {
  const text = message.string();
  const lengths = (message.headers?.get(HEADERS.lengths) ?? '').split(' ').map(Number);
  const whole = lengths.reduce((sum, length) => sum + length + 1, 1);
  if (lengths.length === count && whole === text.length) {
    let start = 1;
    return lengths.map(length => {
      const reply = text.slice(start, start + length);
      start += length + 1;
      return reply;
    });
  }
  // Whoever answered does not know the header.
  const replies: unknown = JSON.parse(text);
  if (!Array.isArray(replies) || replies.length !== count) throw new Error('the reply is not one to this batch');
  return replies.map(reply => JSON.stringify(reply));
}

/** What our own services write; anything else is parsed. */
const SUCCESS = '{"ok":true,';

/** The code of one of the replies. */
export function codeOfReply(text: string): ErrorCode | 'OK' {
  if (text.startsWith(SUCCESS)) return 'OK';
  const ack = JSON.parse(text) as Ack<unknown>;
  if (ack.ok) return 'OK';
  return Object.hasOwn(ERROR_CODES, ack.error.code) ? ack.error.code : 'INTERNAL';
}
