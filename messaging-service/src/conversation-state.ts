import type { Conversation } from '@rapport/contracts';
import { markersOf, type ConversationRow } from './conversation.ts';

/** How a conversation stands, as the contract shows it to one of the two. */
export function toState(row: ConversationRow, userId: string): Omit<Conversation, 'lastMessage'> {
  const [a, b] = [markersOf(row, 'A'), markersOf(row, 'B')];
  const own = row.userA === userId ? a : b;
  return {
    id: row.id,
    version: row.version,
    participants: [
      { userId: row.userA, readUpToSeq: a.readSeq, deliveredUpToSeq: a.deliveredSeq },
      { userId: row.userB, readUpToSeq: b.readSeq, deliveredUpToSeq: b.deliveredSeq },
    ],
    unreadCount: own.unread,
    lastSeq: row.lastSeq,
    readUpToSeq: own.readSeq,
  };
}
