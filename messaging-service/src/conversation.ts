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
    userB: p.text(),
    /** The `seq` of the latest message. */
    lastSeq: p.integer().default(0),
    /** The change counter. */
    version: p.integer().default(0),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
});

/** The pair as the row stores it. Compared by code point, as the database does with collation "C". */
export function participants(one: string, other: string): [userA: string, userB: string] {
  return one < other ? [one, other] : [other, one];
}
