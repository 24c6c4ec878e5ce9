import { defineEntity, p } from '@mikro-orm/core';

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

/** The pair as the row stores it. Compared by code point, as the database does with collation "C". */
export function participants(one: string, other: string): [userA: string, userB: string] {
  return one < other ? [one, other] : [other, one];
}
