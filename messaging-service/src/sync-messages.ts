import type { UserRequest } from '@rapport/bus';
import type { SyncedConversation, UserOutput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import { validate as isUuid } from 'uuid';
import { toState } from './conversation-state.ts';
import { CONVERSATION_COLUMNS, type ConversationRow } from './conversation.ts';
import { readLastMessages } from './last-messages.ts';
import { toMessage } from './message.ts';
import { PAGE_BYTES } from './page.ts';
import { readChangedMessages, type Changed } from './read-changed-messages.ts';

/** Latest messages in one answer; a client that opens all of a thousand conversations asks for their list. */
const MAX_LAST_MESSAGES = 200;
/**
 * States in one answer, at most half a kilobyte each: together with a page of messages they stay below what a NATS
 * message holds. Whoever has more conversations finds the others in their list.
 */
const MAX_STATES = 1_000;

/**
 * Answers `message:sync`. Cursors of conversations that are not the caller's are ignored, whether there is such a
 * conversation or not. Whatever the page holds comes from what the conversations were when they were read: a change
 * that comes meanwhile has a higher version, so it is in the next answer.
 */
export function createSyncMessages({ pool, seal }: { pool: Pool; seal: Seal }) {
  return async ({ actor, input }: UserRequest<'message:sync'>): Promise<UserOutput<'message:sync'>> => {
    const rows = await readChangedConversations(pool, actor.userId, input.cursors);
    const named = rows.filter((row): row is Changed => row.since !== null);
    const { messages, synced, hasMore, bytesLeft } = await readChangedMessages(pool, named, input.limit, PAGE_BYTES);
    // Of those that were not named nobody waits for a message. A client that cannot name them all sees by
    // `version` which to name next.
    const states = [
      ...named.flatMap(row => {
        const syncedTo = synced.get(row.id);
        return syncedTo === undefined ? [] : [{ row, syncedTo }];
      }),
      ...rows.filter(({ since }) => since === null).map(row => ({ row, syncedTo: row.version })),
    ].slice(0, MAX_STATES);
    const lastMessages = await readLastMessages(
      pool,
      seal,
      states.slice(0, MAX_LAST_MESSAGES).map(({ row }) => row),
      bytesLeft,
    );
    return {
      messages: messages.map(row => toMessage(row, seal)),
      conversations: states.map(({ row, syncedTo }): SyncedConversation => {
        const lastMessage = lastMessages.get(row.id);
        return { ...toState(row, actor.userId), ...(lastMessage && { lastMessage }), syncedTo };
      }),
      hasMore,
    };
  };
}

/** Those that changed since their cursor and those without one, the latest first. */
async function readChangedConversations(
  pool: Pool,
  userId: string,
  cursors: Record<string, number>,
): Promise<(ConversationRow & { since: number | null })[]> {
  // An id can be written in two ways, and is one conversation all the same.
  const known = new Map(
    Object.entries(cursors).flatMap(([id, since]) => (isUuid(id) ? [[id.toLowerCase(), since]] : [])),
  );
  const result = await pool.query<ConversationRow & { since: number | null }>({
    name: 'sync-conversations',
    text: `select ${CONVERSATION_COLUMNS}, k.since from (
             select * from conversation where user_a = $1 union all select * from conversation where user_b = $1
           ) c
           left join unnest($2::uuid[], $3::int[]) as k (id, since) on k.id = c.id
           where c.last_seq > 0 and (k.since is null or c.version > k.since)
           order by c.last_message_at desc, c.id desc`,
    types: asDates,
    values: [userId, [...known.keys()], [...known.values()]],
  });
  return result.rows;
}
