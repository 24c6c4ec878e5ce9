import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { AppError } from '@rapport/contracts';

/** Two people and everything they have written to each other. */
export const ConversationEntity = defineEntity({
  name: 'Conversation',
  tableName: 'conversation',
  uniques: [{ name: 'conversation_participants', properties: ['userA', 'userB'] }],
  properties: {
    id: p.uuid().primary(),
    /** The participants in the order of their ids, so that a pair has one row whoever writes first. */
    userA: p.text(),
    userB: p.text().index('conversation_user_b'),
    /** The `seq` of the latest message. */
    lastSeq: p.integer().default(0),
    /** The change counter. */
    version: p.integer().default(0),
    createdAt: p.datetime(3).defaultRaw('now()'),
    /** When the latest message was sent; null while there is none. */
    lastMessageAt: p.datetime(3).nullable(),
    /** Up to which `seq` each has read, and got, everything. They only rise, and `delivered` is never below `read`. */
    readSeqA: p.integer().default(0),
    readSeqB: p.integer().default(0),
    deliveredSeqA: p.integer().default(0),
    deliveredSeqB: p.integer().default(0),
    /**
     * The other's undeleted messages above what each has read. Whoever sends, deletes, expires or reads changes
     * it under the lock of this row, in the transaction of the change.
     */
    unreadA: p.integer().default(0),
    unreadB: p.integer().default(0),
    /** Every message up to this `seq` is past its retention, and bare. */
    expiredSeq: p.integer().default(0),
  },
});
export type ConversationRow = InferEntity<typeof ConversationEntity>;

/** For a statement of our own: the columns of `conversation c` as a `ConversationRow`. Needs `types: asDates`. */
export const CONVERSATION_COLUMNS = `
  c.id, c.user_a as "userA", c.user_b as "userB", c.last_seq as "lastSeq", c.version, c.created_at as "createdAt",
  c.last_message_at as "lastMessageAt", c.read_seq_a as "readSeqA", c.read_seq_b as "readSeqB",
  c.delivered_seq_a as "deliveredSeqA", c.delivered_seq_b as "deliveredSeqB", c.unread_a as "unreadA",
  c.unread_b as "unreadB", c.expired_seq as "expiredSeq"`;

/** Which of the two columns of each kind is a person's. */
export type Side = 'A' | 'B';

export function sideOf(row: ConversationRow, userId: string): Side | undefined {
  return row.userA === userId ? 'A' : row.userB === userId ? 'B' : undefined;
}

/** What whoever asks about a conversation gets that is not there or not theirs: nobody can tell which. */
export function notYours(): AppError {
  return new AppError('UNAUTHORIZED', 'this is not yours');
}

/** What a person has of a conversation, and has left to read. */
export interface Markers {
  readonly readSeq: number;
  readonly deliveredSeq: number;
  readonly unread: number;
}

export function markersOf(row: ConversationRow, side: Side): Markers {
  return side === 'A'
    ? { readSeq: row.readSeqA, deliveredSeq: row.deliveredSeqA, unread: row.unreadA }
    : { readSeq: row.readSeqB, deliveredSeq: row.deliveredSeqB, unread: row.unreadB };
}

/** Puts a person's markers into the row. */
export function setMarkers(row: ConversationRow, side: Side, markers: Markers): void {
  if (side === 'A') {
    Object.assign(row, { readSeqA: markers.readSeq, deliveredSeqA: markers.deliveredSeq, unreadA: markers.unread });
  } else {
    Object.assign(row, { readSeqB: markers.readSeq, deliveredSeqB: markers.deliveredSeq, unreadB: markers.unread });
  }
}

export function userOf(row: ConversationRow, side: Side): string {
  return side === 'A' ? row.userA : row.userB;
}

export function otherSide(side: Side): Side {
  return side === 'A' ? 'B' : 'A';
}

/** The pair as the row stores it. Compared by code point, as the database does with collation "C". */
export function participants(one: string, other: string): [userA: string, userB: string] {
  return one < other ? [one, other] : [other, one];
}
