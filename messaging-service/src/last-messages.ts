import type { Message } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import type { Pool } from 'pg';
import type { ConversationRow } from './conversation.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message.ts';
import { MESSAGE_BYTES } from './page.ts';

/**
 * The latest message of each conversation, in the order given, for as long as they fit into `bytes`; of the first
 * in any case.
 */
export async function readLastMessages(
  pool: Pool,
  seal: Seal,
  conversations: readonly Pick<ConversationRow, 'id' | 'lastSeq'>[],
  bytes: number,
): Promise<ReadonlyMap<string, Message>> {
  if (conversations.length === 0) return new Map();
  const result = await pool.query<MessageRow>({
    name: 'last-messages',
    text: `select ${MESSAGE_COLUMNS} from (
             select m.*, sum(${MESSAGE_BYTES}) over (order by k.place) - (${MESSAGE_BYTES}) as bytes_before
               from unnest($1::uuid[], $2::int[]) with ordinality as k (id, seq, place)
              cross join lateral (select * from message where conversation_id = k.id and seq = k.seq) m
           ) m
           where m.bytes_before < $3`,
    types: asDates,
    values: [conversations.map(({ id }) => id), conversations.map(({ lastSeq }) => lastSeq), bytes],
  });
  return new Map(result.rows.map(row => [row.conversationId, toMessage(row, seal)]));
}
