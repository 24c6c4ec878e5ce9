import { AppError, invalidPayload, type MessageSendInput } from '@rapport/contracts';
import { sameHash } from '@rapport/service/seal';
import type { MessageRow } from './message.ts';

/** A message that somebody wants to send. */
export interface Draft {
  readonly senderId: string;
  readonly input: MessageSendInput;
  readonly socketId: string | undefined;
  /** The participants as the conversation's row names them. */
  readonly pair: readonly [userA: string, userB: string];
  /** Both as one text. */
  readonly pairKey: string;
  /** Of the body as it came. */
  readonly bodyHash: Buffer;
}

export interface LockedConversation {
  readonly id: string;
  readonly lastSeq: number;
  readonly version: number;
}

/** What the database says about the drafts of a batch, under the locks of their conversations. */
export interface Known {
  /** By `pairKey`. */
  readonly conversations: { get(pair: string): LockedConversation | undefined };
  /** Pairs that may write to each other, by `pairKey`. */
  readonly contacts: { has(pair: string): boolean };
  /** Messages that were sent before, by `clientKey`. */
  readonly sent: ReadonlyMap<string, MessageRow>;
  /** To which conversation messages belong that somebody replies to, by id. */
  readonly targets: ReadonlyMap<string, string>;
}

export type Decision =
  | { readonly kind: 'new'; readonly conversationId: string; readonly seq: number; readonly version: number }
  /** Sent before, and committed. */
  | { readonly kind: 'known'; readonly row: MessageRow }
  /** The same as an earlier one of this batch, which is new. */
  | { readonly kind: 'same'; readonly index: number }
  | { readonly kind: 'refused'; readonly error: AppError };

/** Participants as the conversations' rows name them, each pair once. */
export type Pairs = readonly (readonly [userA: string, userB: string])[];

export const pairKey = ([userA, userB]: readonly [string, string]): string => `${userA} ${userB}`;
export const clientKey = (senderId: string, clientMessageId: string): string => `${senderId} ${clientMessageId}`;

/**
 * What becomes of each draft, in their order: the new ones of a conversation are numbered without a hole, whatever
 * becomes of those between them.
 */
export function decideMessages(drafts: readonly Draft[], known: Known): Decision[] {
  const counters = new Map<string, { seq: number; version: number }>();
  const sentHere = new Map<string, number>();
  const decisions: Decision[] = [];
  for (const [index, draft] of drafts.entries()) {
    const decision = decideOne(draft, known, counters, sentHere, drafts);
    if (decision.kind === 'new' && draft.input.clientMessageId !== undefined) {
      sentHere.set(clientKey(draft.senderId, draft.input.clientMessageId), index);
    }
    decisions.push(decision);
  }
  return decisions;
}

/** The rungs of the ladder, in this order: a repeat is answered even where nothing new may be said any more. */
function decideOne(
  draft: Draft,
  { conversations, contacts, sent, targets }: Known,
  counters: Map<string, { seq: number; version: number }>,
  sentHere: ReadonlyMap<string, number>,
  drafts: readonly Draft[],
): Decision {
  const { senderId, input, bodyHash } = draft;
  if (input.clientMessageId !== undefined) {
    const key = clientKey(senderId, input.clientMessageId);
    const row = sent.get(key);
    if (row) return sameHash(row.bodyHash, bodyHash) ? { kind: 'known', row } : refuse(otherBody());
    const index = sentHere.get(key);
    const earlier = index === undefined ? undefined : drafts[index];
    if (index !== undefined && earlier) {
      return sameHash(earlier.bodyHash, bodyHash) ? { kind: 'same', index } : refuse(otherBody());
    }
  }
  const { pairKey: pair } = draft;
  if (!contacts.has(pair)) return refuse(new AppError('UNAUTHORIZED', 'you may not contact this user'));
  const conversation = conversations.get(pair);
  if (input.replyToId !== undefined && (!conversation || targets.get(input.replyToId) !== conversation.id)) {
    return refuse(invalidPayload({ path: 'replyToId', message: 'must be a message of this conversation' }));
  }
  if (!conversation) return refuse(new AppError('INTERNAL', 'a conversation that was just made is not there'));
  const before = counters.get(pair) ?? { seq: conversation.lastSeq, version: conversation.version };
  const next = { seq: before.seq + 1, version: before.version + 1 };
  counters.set(pair, next);
  return { kind: 'new', conversationId: conversation.id, ...next };
}

/** The pairs of the drafts, each once. */
export function distinctPairs(drafts: readonly Draft[]): Pairs {
  return [...new Map(drafts.map(draft => [draft.pairKey, draft.pair])).values()];
}

/** Stands for a conversation that is not there yet: no message can be in it. */
const NEW: LockedConversation = { id: '', lastSeq: 0, version: 0 };

/** The pairs that need a conversation and have none: those with a message that would be new in it. */
export function missingPairs(drafts: readonly Draft[], known: Known): Pairs {
  if (drafts.every(draft => known.conversations.get(draft.pairKey))) return [];
  const conversations = { get: (pair: string) => known.conversations.get(pair) ?? NEW };
  const decisions = decideMessages(drafts, { ...known, conversations });
  const missing = drafts.filter(
    (draft, index) => decisions[index]?.kind === 'new' && !known.conversations.get(draft.pairKey),
  );
  return distinctPairs(missing);
}

function refuse(error: AppError): Decision {
  return { kind: 'refused', error };
}

function otherBody(): AppError {
  return new AppError('CONFLICT', 'this clientMessageId belongs to a message with another body', {
    details: [{ path: 'clientMessageId', message: 'must be new, or come with the body it first came with' }],
  });
}
