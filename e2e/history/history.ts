// What clients did and saw, as evidence for the checkers: who uses it knows nothing of how the product works.

/** A message as a client sees it: what the checkers look at. */
export interface SeenMessage {
  readonly id: string;
  readonly senderId: string;
  readonly recipientId: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly content?: string | undefined;
  readonly clientMessageId?: string | undefined;
}

interface Happened {
  /** Milliseconds on one monotonic clock. */
  readonly at: number;
  readonly user: string;
  /** The id of the connection: another one after every reconnect. */
  readonly socket: string;
}

/** A send that went out over a socket. Every try is a call of its own. */
export interface Sent extends Happened {
  readonly kind: 'sent';
  readonly call: number;
  readonly clientMessageId: string;
  readonly recipientId: string;
  readonly content: string;
}

/** The server said that it is stored. A call without an answer has no entry but its `sent`. */
export interface Acked extends Happened {
  readonly kind: 'acked';
  readonly call: number;
  readonly message: SeenMessage;
}

export interface Refused extends Happened {
  readonly kind: 'refused';
  readonly call: number;
  readonly code: string;
}

export interface Received extends Happened {
  readonly kind: 'received';
  readonly event: 'message:received' | 'message:sent';
  readonly message: SeenMessage;
}

/** In the order in which it happened. Only ever appended to. */
export type History = readonly (Sent | Acked | Refused | Received)[];

/** A row of the message table. */
export interface StoredMessage {
  readonly id: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly senderId: string;
  readonly recipientId: string;
  readonly clientMessageId: string | null;
}

/** What a client of the user shows in the end, in the order in which it shows it. */
export interface View {
  readonly user: string;
  readonly messages: readonly SeenMessage[];
}

/** A process that was killed, and when it was back. */
export interface Fault {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export interface Evidence {
  readonly history: History;
  readonly stored: readonly StoredMessage[];
  /** The message of every fact in the stream. */
  readonly facts: readonly string[];
  readonly views: readonly View[];
  readonly faults: readonly Fault[];
}

/** What stays the same however often a message is sent: sender and `clientMessageId`. */
export const keyOf = (senderId: string, clientMessageId: string | null | undefined): string =>
  `${senderId}/${clientMessageId ?? ''}`;

/** The sends of a history by what they were to become, each with what came of its call. */
export function callsByKey({ history }: Pick<Evidence, 'history'>): Map<string, Call[]> {
  const answers = new Map<number, Acked | Refused>();
  for (const entry of history) if (entry.kind === 'acked' || entry.kind === 'refused') answers.set(entry.call, entry);
  const calls = history.flatMap(entry =>
    entry.kind === 'sent' ? [{ sent: entry, answer: answers.get(entry.call) }] : [],
  );
  return Map.groupBy(calls, ({ sent }) => keyOf(sent.user, sent.clientMessageId));
}

export interface Call {
  readonly sent: Sent;
  /** None when the connection broke, or nobody answered in time: then whether it is stored is open. */
  readonly answer: Acked | Refused | undefined;
}
