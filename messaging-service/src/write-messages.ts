import type { KeyObject } from 'node:crypto';
import { AppError, type FactData, type Message, type MessageSendInput } from '@rapport/contracts';
import { newId } from '@rapport/service';
import type { Outcome } from '@rapport/service/batch-queue';
import { inPipelinedTransaction, type OutboxFact, type Pipeline, type Querying } from '@rapport/service/database';
import { keyedHash, type Seal } from '@rapport/service/seal';
import { participants } from './conversation.ts';
import {
  decideMessages,
  distinctPairs,
  missingPairs,
  pairKey,
  type Decision,
  type Draft,
  type Known,
  type Pairs,
} from './decide-messages.ts';
import { identityOf, showMessage, toMessage } from './message.ts';
import {
  EVERYBODY,
  findContacts,
  findSent,
  findTargets,
  insertMessages,
  lockConversations,
  makeConversations,
  type NewMessage,
} from './message-statements.ts';

export interface WrittenMessage {
  readonly message: Message;
  /** The outbox row of a message that is new; a repeat under a known `clientMessageId` has none. */
  readonly news: OutboxFact<'message.sent'> | undefined;
}

export interface Writing {
  readonly pipeline: Pipeline;
  readonly seal: Seal;
  /** Whether anybody may write to anybody; otherwise those with a live care relationship. */
  readonly open: boolean;
}

/** @param hashKey a repeat is known by the keyed hash of its body, from which a short text cannot be guessed */
export function toDraft(
  hashKey: KeyObject,
  { senderId, input, socketId }: { senderId: string; input: MessageSendInput; socketId: string | undefined },
): Draft {
  const { recipientId, messageType, content, replyToId, attachment } = input;
  const file = attachment && [attachment.url, attachment.name, attachment.mimeType, attachment.size];
  const bodyHash = keyedHash(hashKey, [recipientId, messageType, content, replyToId, file]);
  const pair = participants(senderId, recipientId);
  return { senderId, input, socketId, pair, pairKey: pairKey(pair), bodyHash };
}

/**
 * Writes messages, each with an outcome of its own, in the order in which they come: what one breaks does not
 * concern its neighbours.
 */
export async function writeMessages(writing: Writing, drafts: readonly Draft[]): Promise<Outcome<WrittenMessage>[]> {
  try {
    return await writeTogether(writing, drafts);
  } catch (error) {
    if (error instanceof AppError) return drafts.map(() => ({ error }));
  }
  // The same clientMessageId at the same moment in another conversation, under another lock, or a message that the
  // database does not take: alone it concerns no other.
  const outcomes: Outcome<WrittenMessage>[] = [];
  for (const draft of drafts) outcomes.push(await writeAlone(writing, draft));
  return outcomes;
}

/** Once more when it fails: its own race may have begun only now, and is over then. */
async function writeAlone(writing: Writing, draft: Draft): Promise<Outcome<WrittenMessage>> {
  const write = async (): Promise<Outcome<WrittenMessage>> => {
    const [outcome] = await writeTogether(writing, [draft]);
    return outcome ?? { error: new Error('a message has no outcome') };
  };
  try {
    return await write().catch((error: unknown) => {
      if (error instanceof AppError) throw error;
      return write();
    });
  } catch (error) {
    return { error };
  }
}

/** Once without the conversations that are new, once with them. */
const ATTEMPTS = 2;

/**
 * Two steps of one transaction: lock the conversations in the order of their ids; then, with a snapshot that is taken
 * after the locks, look for repeats, number, insert. In one statement the snapshot would be older than the locks, and
 * two replicas racing on one key would leave a hole in `seq`.
 */
async function writeTogether(writing: Writing, drafts: readonly Draft[]): Promise<Outcome<WrittenMessage>[]> {
  let missing: Pairs = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // In a transaction of their own: made under the locks, they would be waited for in the wrong order.
    if (missing.length > 0) await makeConversations(writing.pipeline.pool, missing);
    const outcomes = await inPipelinedTransaction(writing.pipeline, {
      read: client => readKnown(client, writing, drafts),
      write(client, known) {
        missing = missingPairs(drafts, known);
        if (missing.length > 0 && attempt + 1 < ATTEMPTS) return undefined;
        const now = new Date();
        const decisions = decideMessages(drafts, known);
        const written = drafts.map((draft, index) => toWritten(draft, decisions[index], writing.seal, now));
        const news = written.filter(each => each !== undefined);
        return {
          result: decisions.map((decision, index) => toOutcome(decision, index, written, writing.seal)),
          written: news.length > 0 ? insertMessages(client, news, now) : Promise.resolve(),
        };
      },
    });
    if (outcomes) return outcomes;
  }
  throw new Error('conversations that were just made are not there');
}

interface Written extends NewMessage {
  readonly message: Message;
}

async function readKnown(client: Querying, { open }: Writing, drafts: readonly Draft[]): Promise<Known> {
  const pairs = distinctPairs(drafts);
  // Sent at once, answered one after the other: each sees what was committed before the locks were there.
  const [conversations, contacts, sent, targets] = await Promise.all([
    lockConversations(client, pairs),
    open ? EVERYBODY : findContacts(client, pairs),
    findSent(client, drafts),
    findTargets(client, drafts),
  ]);
  return { conversations, contacts, sent, targets };
}

function toWritten(draft: Draft, decision: Decision | undefined, seal: Seal, now: Date): Written | undefined {
  if (decision?.kind !== 'new') return undefined;
  const { senderId, input, socketId, bodyHash } = draft;
  const body = { content: input.content, attachment: input.attachment };
  const identity = { id: newId(), conversationId: decision.conversationId, revision: 0 };
  const row = {
    ...identity,
    ...seal.close(body, identityOf(identity)),
    seq: decision.seq,
    version: decision.version,
    senderId,
    recipientId: input.recipientId,
    messageType: input.messageType,
    bodyHash,
    clientMessageId: input.clientMessageId ?? null,
    replyToId: input.replyToId ?? null,
    createdAt: now,
    editedAt: null,
    deletedAt: null,
  };
  const message = showMessage(row, body);
  return { row, message, fact: factOf(message, now, socketId) };
}

function factOf(message: Message, createdAt: Date, exceptSocket: string | undefined): OutboxFact<'message.sent'> {
  const data: FactData<'message.sent'> = {
    messageId: message.id,
    conversationId: message.conversationId,
    senderId: message.senderId,
    recipientId: message.recipientId,
    messageType: message.messageType,
    seq: message.seq,
    version: message.version,
    createdAt: message.createdAt,
  };
  // There is one for each message, and so it has the same id.
  return { id: message.id, createdAt, fact: 'message.sent', data, exceptSocket };
}

function toOutcome(
  decision: Decision,
  index: number,
  written: readonly (Written | undefined)[],
  seal: Seal,
): Outcome<WrittenMessage> {
  if (decision.kind === 'refused') return { error: decision.error };
  if (decision.kind === 'known') return { result: { message: toMessage(decision.row, seal), news: undefined } };
  const made = written[decision.kind === 'same' ? decision.index : index];
  if (!made) return { error: new Error('a message that is new was not made') };
  return { result: { message: made.message, news: decision.kind === 'new' ? made.fact : undefined } };
}
