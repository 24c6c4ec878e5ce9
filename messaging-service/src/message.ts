import { isoTime } from '@rapport/bus';
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Message, MessageSendInput } from '@rapport/contracts';
import type { Seal } from '@rapport/service/seal';

export const MessageEntity = defineEntity({
  name: 'Message',
  tableName: 'message',
  uniques: [
    { name: 'message_seq', properties: ['conversationId', 'seq'] },
    { name: 'message_version', properties: ['conversationId', 'version'] },
    { name: 'message_client_id', properties: ['senderId', 'clientMessageId'] },
  ],
  properties: {
    id: p.uuid().primary(),
    conversationId: p.uuid(),
    seq: p.integer(),
    /** The conversation's version at the latest change of this message. */
    version: p.integer(),
    senderId: p.text(),
    recipientId: p.text(),
    messageType: p.text().$type<Message['messageType']>(),
    /** Content and attachment, encrypted; a tombstone has none. */
    sealed: p.blob().nullable(),
    keyId: p.text().nullable(),
    /** How often the text was changed or taken away; part of what the encryption vouches for. */
    revision: p.integer().default(0),
    /** Keyed hash of the body as it was first sent: tells a repeat from another message under the same id. */
    bodyHash: p.blob(),
    clientMessageId: p.text().nullable(),
    replyToId: p.uuid().nullable(),
    createdAt: p.datetime(3),
    editedAt: p.datetime(3).nullable(),
    deletedAt: p.datetime(3).nullable(),
  },
});
export type MessageRow = InferEntity<typeof MessageEntity>;

/** For a statement of our own: the columns of `message m` as a `MessageRow`. Needs `types: asDates`. */
export const MESSAGE_COLUMNS = `
  m.id, m.conversation_id as "conversationId", m.seq, m.version, m.sender_id as "senderId",
  m.recipient_id as "recipientId", m.message_type as "messageType", m.sealed, m.key_id as "keyId", m.revision,
  m.body_hash as "bodyHash", m.client_message_id as "clientMessageId", m.reply_to_id as "replyToId",
  m.created_at as "createdAt", m.edited_at as "editedAt", m.deleted_at as "deletedAt"`;

/** What is encrypted of a message. */
type MessageBody = Pick<MessageSendInput, 'content' | 'attachment'>;

/** The message as the contract shows it. @throws when the row was tampered with or its key is not configured */
export function toMessage(row: MessageRow, seal: Seal): Message {
  return showMessage(row, bodyOf(row, seal));
}

/** … when what was written is at hand. */
export function showMessage(row: MessageRow, body: MessageBody | undefined): Message {
  return {
    id: row.id,
    senderId: row.senderId,
    ...(body && { content: body.content }),
    createdAt: isoTime(row.createdAt),
    messageType: row.messageType,
    recipientId: row.recipientId,
    conversationId: row.conversationId,
    seq: row.seq,
    version: row.version,
    previousVersion: row.version - 1,
    ...(row.clientMessageId !== null && { clientMessageId: row.clientMessageId }),
    ...(row.replyToId !== null && { replyToId: row.replyToId }),
    ...(body?.attachment && { attachment: body.attachment }),
    ...(row.editedAt && { editedAt: row.editedAt.toISOString() }),
    ...(row.deletedAt && { deletedAt: row.deletedAt.toISOString() }),
  };
}

/** What was written, or nothing for a tombstone. @throws as `toMessage` */
export function bodyOf(row: MessageRow, seal: Seal): MessageBody | undefined {
  if (!row.sealed || !row.keyId) return undefined;
  return seal.open(row.sealed, row.keyId, identityOf(row)) as MessageBody;
}

/** What a sealed body belongs to: moved to another row, it does not open. */
export function identityOf(row: { conversationId: string; id: string; revision: number }): string {
  return `${row.conversationId}/${row.id}/${row.revision}`;
}
