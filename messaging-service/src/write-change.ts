import { LockMode } from '@mikro-orm/postgresql';
import { AppError, BLANK_TEXT, invalidPayload, isBlankText, type Message } from '@rapport/contracts';
import { inUnitOfWork, newFact, persistFact, type Database, type OutboxFact } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import { ConversationEntity, markersOf, setMarkers, sideOf, type ConversationRow } from './conversation.ts';
import { bodyOf, identityOf, MessageEntity, toMessage, type MessageRow } from './message.ts';
import { MessageRevisionEntity } from './message-revision.ts';

interface ChangeToWrite {
  readonly messageId: string;
  readonly conversationId: string;
  readonly socketId: string | undefined;
}

export interface WrittenChange {
  readonly message: Message;
  /** The outbox row of a change; what is as it should be already has none. */
  readonly news: OutboxFact<'message.edited'> | OutboxFact<'message.deleted'> | undefined;
}

interface Store {
  readonly orm: Database['orm'];
  readonly seal: Seal;
}

/**
 * Replaces the content of a message. The same content again changes nothing, so a retry is harmless.
 * @throws AppError `CONFLICT` when the message was deleted, `INVALID_PAYLOAD` for a blank text
 */
export function writeEdit(store: Store, change: ChangeToWrite & { content: string }): Promise<WrittenChange> {
  return write(store, change, 'message.edited', (message, _conversation, now) => {
    const body = bodyOf(message, store.seal);
    if (!body) throw new AppError('CONFLICT', 'the message was deleted');
    if (isBlankText(message.messageType, change.content)) throw invalidPayload(BLANK_TEXT);
    if (body.content === change.content) return false;
    message.revision += 1;
    Object.assign(message, store.seal.close({ ...body, content: change.content }, identityOf(message)));
    message.editedAt = now;
    return true;
  });
}

/** Takes the content of a message away. What was deleted stays as it is. */
export function writeDeletion(store: Store, change: ChangeToWrite): Promise<WrittenChange> {
  return write(store, change, 'message.deleted', (message, conversation, now) => {
    if (message.deletedAt) return false;
    message.revision += 1;
    Object.assign(message, { sealed: null, keyId: null });
    message.deletedAt = now;
    countDeleted(conversation, message);
    return true;
  });
}

/** Changes a message; `false` when there is nothing to change. */
type Apply = (message: MessageRow, conversation: ConversationRow, now: Date) => boolean;

/** Under the lock of the conversation, as everything that takes a version. The message is read after the lock. */
function write(
  { orm, seal }: Store,
  { messageId, conversationId, socketId }: ChangeToWrite,
  fact: 'message.edited' | 'message.deleted',
  apply: Apply,
): Promise<WrittenChange> {
  return inUnitOfWork(orm, async em => {
    const lockMode = LockMode.PESSIMISTIC_WRITE;
    const conversation = await em.findOneOrFail(ConversationEntity, { id: conversationId }, { lockMode });
    // Locked too, against a rotation of keys: it takes no version, and must see what the earlier text is under.
    const row = await em.findOneOrFail(MessageEntity, { id: messageId }, { lockMode });
    const { revision, sealed, keyId } = row;
    const now = new Date();
    if (!apply(row, conversation, now)) return { message: toMessage(row, seal), news: undefined };
    // For the record: what the message was until now.
    if (sealed && keyId) em.create(MessageRevisionEntity, { messageId, revision, sealed, keyId, replacedAt: now });
    conversation.version += 1;
    row.version = conversation.version;
    const { senderId, recipientId, seq, version } = row;
    const news = newFact(fact, { messageId, conversationId, senderId, recipientId, seq, version }, now, socketId);
    persistFact(em, news);
    return { message: toMessage(row, seal), news };
  });
}

/** One that was not read is not to be read any more. */
function countDeleted(conversation: ConversationRow, message: MessageRow): void {
  const side = sideOf(conversation, message.recipientId);
  if (!side) return;
  const markers = markersOf(conversation, side);
  if (message.seq > markers.readSeq) setMarkers(conversation, side, { ...markers, unread: markers.unread - 1 });
}
