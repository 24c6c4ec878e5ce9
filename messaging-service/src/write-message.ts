import { AppError, invalidPayload, type FactData, type Message, type MessageSendInput } from '@rapport/contracts';
import { asDates, inTransaction, type OutboxRow } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { v7 as uuidv7, validate as isUuid } from 'uuid';
import { participants } from './conversation.ts';
import { identityOf, MESSAGE_COLUMNS, toMessage, type MessageRow } from './message.ts';
import { keyedHash, sameHash, type Seal } from '@rapport/service/seal';

export interface MessageToWrite {
  senderId: string;
  input: MessageSendInput;
  socketId: string | undefined;
}

export interface WrittenMessage {
  message: Message;
  /** The outbox row of a message that is new; a repeat under a known `clientMessageId` has none. */
  news: OutboxRow<'message.sent'> | undefined;
}

const UNIQUE_VIOLATION = '23505';
const CLIENT_ID_CONSTRAINT = 'message_client_id';

/**
 * Writes a message in two steps of one transaction: lock the conversation; then, with a snapshot that
 * is taken after the lock, look for a repeat, number, insert. In one statement the snapshot would be
 * older than the lock, and two replicas racing on one key would leave a hole in `seq`.
 * @throws AppError `CONFLICT` when the `clientMessageId` belongs to another message,
 *   `INVALID_PAYLOAD` when `replyToId` is not of this conversation
 */
export async function writeMessage(
  pool: Pool,
  toWrite: MessageToWrite,
  seal: Seal,
  hashKey: string,
): Promise<WrittenMessage> {
  const write = () => inTransaction(pool, client => writeLocked(client, toWrite, seal, hashKey));
  try {
    return await write();
  } catch (error) {
    // The same clientMessageId at the same moment in another conversation, under another lock. It is
    // committed now, so the second attempt finds it.
    if (!isClientIdViolation(error)) throw error;
    return write();
  }
}

async function writeLocked(
  client: PoolClient,
  toWrite: MessageToWrite,
  seal: Seal,
  hashKey: string,
): Promise<WrittenMessage> {
  const { senderId, input } = toWrite;
  const bodyHash = hashBody(hashKey, input);
  const conversation = await lockConversation(client, participants(senderId, input.recipientId));
  if (input.clientMessageId) {
    const known = await findByClientId(client, senderId, input.clientMessageId);
    if (known && !sameHash(known.bodyHash, bodyHash)) {
      throw new AppError('CONFLICT', 'this clientMessageId belongs to a message with another body', {
        details: [{ path: 'clientMessageId', message: 'must be new, or come with the body it first came with' }],
      });
    }
    if (known) return { message: toMessage(known, seal), news: undefined };
  }
  if (input.replyToId) await requireReplyTarget(client, conversation.id, input.replyToId);

  const row = newRow(conversation, toWrite, seal, bodyHash);
  const fact = factOf(row, toWrite.socketId);
  await insert(client, row, fact);
  return { message: toMessage(row, seal), news: fact };
}

function newRow(
  conversation: LockedConversation,
  { senderId, input }: MessageToWrite,
  seal: Seal,
  bodyHash: Buffer,
): MessageRow {
  const identity = { id: uuidv7(), conversationId: conversation.id, revision: 0 };
  return {
    ...identity,
    ...seal.close({ content: input.content, attachment: input.attachment }, identityOf(identity)),
    seq: conversation.lastSeq + 1,
    version: conversation.version + 1,
    senderId,
    recipientId: input.recipientId,
    messageType: input.messageType,
    bodyHash,
    clientMessageId: input.clientMessageId ?? null,
    replyToId: input.replyToId ?? null,
    createdAt: new Date(),
    editedAt: null,
    deletedAt: null,
  };
}

function factOf(row: MessageRow, exceptSocket: string | undefined): OutboxRow<'message.sent'> {
  const data: FactData<'message.sent'> = {
    messageId: row.id,
    conversationId: row.conversationId,
    senderId: row.senderId,
    recipientId: row.recipientId,
    messageType: row.messageType,
    seq: row.seq,
    version: row.version,
    createdAt: row.createdAt.toISOString(),
  };
  return { id: uuidv7(), createdAt: row.createdAt, fact: 'message.sent', data, exceptSocket };
}

interface LockedConversation {
  id: string;
  lastSeq: number;
  version: number;
}

/** The conversation of the pair, made if it is new, and locked until the transaction ends. */
async function lockConversation(client: PoolClient, pair: [string, string]): Promise<LockedConversation> {
  const lock = async () => {
    const result = await client.query<LockedConversation>({
      name: 'conversation-lock',
      text: `select id, last_seq as "lastSeq", version from conversation
              where user_a = $1 and user_b = $2 for update`,
      values: pair,
    });
    return result.rows[0];
  };
  const known = await lock();
  if (known) return known;
  await client.query({
    name: 'conversation-insert',
    text: `insert into conversation (id, user_a, user_b) values ($1, $2, $3) on conflict do nothing`,
    values: [uuidv7(), ...pair],
  });
  const made = await lock();
  if (!made) throw new Error('a conversation that was just made is not there');
  return made;
}

async function findByClientId(
  client: PoolClient,
  senderId: string,
  clientMessageId: string,
): Promise<MessageRow | undefined> {
  const result = await client.query<MessageRow>({
    name: 'message-by-client-id',
    text: `select ${MESSAGE_COLUMNS} from message m where m.sender_id = $1 and m.client_message_id = $2`,
    types: asDates,
    values: [senderId, clientMessageId],
  });
  return result.rows[0];
}

async function requireReplyTarget(client: PoolClient, conversationId: string, replyToId: string): Promise<void> {
  const notHere = invalidPayload({ path: 'replyToId', message: 'must be a message of this conversation' });
  if (!isUuid(replyToId)) throw notHere;
  const result = await client.query({
    name: 'message-reply-target',
    text: 'select 1 from message where id = $1 and conversation_id = $2',
    values: [replyToId, conversationId],
  });
  if (result.rowCount === 0) throw notHere;
}

/** One statement, under the lock of the conversation. */
async function insert(client: PoolClient, row: MessageRow, fact: OutboxRow<'message.sent'>): Promise<void> {
  await client.query({
    name: 'message-insert',
    text: `with numbered as (
             update conversation set last_seq = $3, version = $4, last_message_at = $14,
                                     unread_a = unread_a + (user_a = $6)::int, unread_b = unread_b + (user_b = $6)::int
              where id = $2),
           sent as (
             insert into message (id, conversation_id, seq, version, sender_id, recipient_id, message_type, sealed,
                                  key_id, revision, body_hash, client_message_id, reply_to_id, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14))
           insert into outbox (id, created_at, fact, data, except_socket) values ($15, $14, $16, $17, $18)`,
    values: [
      row.id,
      row.conversationId,
      row.seq,
      row.version,
      row.senderId,
      row.recipientId,
      row.messageType,
      row.sealed,
      row.keyId,
      row.revision,
      row.bodyHash,
      row.clientMessageId,
      row.replyToId,
      row.createdAt,
      fact.id,
      fact.fact,
      fact.data,
      fact.exceptSocket,
    ],
  });
}

function hashBody(key: string, input: MessageSendInput): Buffer {
  const { recipientId, messageType, content, replyToId, attachment } = input;
  const file = attachment && [attachment.url, attachment.name, attachment.mimeType, attachment.size];
  return keyedHash(key, [recipientId, messageType, content, replyToId, file]);
}

function isClientIdViolation(error: unknown): boolean {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === UNIQUE_VIOLATION && constraint === CLIENT_ID_CONSTRAINT;
}
