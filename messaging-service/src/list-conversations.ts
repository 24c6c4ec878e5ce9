import type { UserRequest } from '@rapport/bus';
import type { Conversation, UserOutput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import { CONVERSATION_COLUMNS, type ConversationRow } from './conversation.ts';
import { toState } from './conversation-state.ts';
import { readLastMessages } from './last-messages.ts';
import { PAGE_BYTES, readCursor, toCursor, type Position } from './page.ts';

/** Before the first: later than every conversation. */
const START: Position = { lastMessageAt: new Date('9999-12-31T00:00:00Z'), id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/**
 * Answers `conversation:list`. A user's own conversations are sorted anew for every page: a thousand of them take a
 * millisecond, where an index on their latest message would have to be written with every message of everybody.
 */
export function createListConversations({ pool, seal }: { pool: Pool; seal: Seal }) {
  return async ({ actor, input }: UserRequest<'conversation:list'>): Promise<UserOutput<'conversation:list'>> => {
    const after = input.cursor === undefined ? START : readCursor(input.cursor);
    const rows = await readPage(pool, actor.userId, after, input.limit + 1);
    const page = rows.slice(0, input.limit);
    const lastMessages = await readLastMessages(pool, seal, page, PAGE_BYTES);
    const conversations: Conversation[] = [];
    for (const row of page) {
      const lastMessage = lastMessages.get(row.id);
      // The page is full.
      if (!lastMessage) break;
      conversations.push({ ...toState(row, actor.userId), lastMessage });
    }
    const last = page[conversations.length - 1];
    return {
      conversations,
      ...(last?.lastMessageAt &&
        rows.length > conversations.length && {
          nextCursor: toCursor({ lastMessageAt: last.lastMessageAt, id: last.id }),
        }),
    };
  };
}

async function readPage(pool: Pool, userId: string, after: Position, limit: number): Promise<ConversationRow[]> {
  const result = await pool.query<ConversationRow>({
    name: 'conversations-page',
    // One that was begun and in which no message was ever accepted is nobody's business.
    text: `select ${CONVERSATION_COLUMNS} from (
             select * from conversation where user_a = $1 union all select * from conversation where user_b = $1
           ) c
           where c.last_seq > 0 and (c.last_message_at, c.id) < ($2, $3)
           order by c.last_message_at desc, c.id desc limit $4`,
    types: asDates,
    values: [userId, after.lastMessageAt, after.id, limit],
  });
  return result.rows;
}
