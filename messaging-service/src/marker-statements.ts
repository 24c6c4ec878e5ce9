import { asDates, type Querying } from '@rapport/service/database';
import type { Pool } from 'pg';
import { CONVERSATION_COLUMNS, type ConversationRow } from './conversation.ts';

// The statements that move markers: each works on a whole batch, and is prepared.

/** The messages that are marked, by their ids, each with its conversation as it is at the moment. */
export async function findMarked(
  pool: Pool,
  messageIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly seq: number; readonly row: ConversationRow }>> {
  const { rows } = await pool.query<ConversationRow & { messageId: string; seq: number }>({
    name: 'markers-find',
    text: `select m.id as "messageId", m.seq, ${CONVERSATION_COLUMNS}
             from message m join conversation c on c.id = m.conversation_id where m.id = any($1::uuid[])`,
    types: asDates,
    values: [messageIds],
  });
  return new Map(rows.map(({ messageId, seq, ...row }) => [messageId, { seq, row }]));
}

/** Locks the conversations in the order of their ids, as a batch of messages does: no two wait for each other. */
export async function lockMarked(
  client: Querying,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ConversationRow>> {
  const { rows } = await client.query<ConversationRow>({
    name: 'markers-lock',
    text: `select ${CONVERSATION_COLUMNS} from conversation c where c.id = any($1::uuid[]) order by c.id for update`,
    types: asDates,
    values: [ids],
  });
  return new Map(rows.map(row => [row.id, row]));
}

/** A place in a conversation, from which on a person has not read. */
export interface UnreadAbove {
  readonly conversationId: string;
  readonly userId: string;
  readonly seq: number;
}

/**
 * The other party's undeleted messages above each place: few, as most people read the latest. Under the locks of the
 * conversations, so that none comes or goes meanwhile.
 */
export async function countUnreadAbove(client: Querying, places: readonly UnreadAbove[]): Promise<number[]> {
  if (places.length === 0) return [];
  const { rows } = await client.query<{ unread: number }>({
    name: 'markers-unread',
    text: `select unread.count as unread
             from unnest($1::uuid[], $2::int[], $3::text[]) with ordinality as k (id, seq, user_id, place)
            cross join lateral (
              select count(*)::int from message m
               where m.conversation_id = k.id and m.seq > k.seq and m.recipient_id = k.user_id and m.deleted_at is null
            ) unread
            order by k.place`,
    values: [
      places.map(({ conversationId }) => conversationId),
      places.map(({ seq }) => seq),
      places.map(({ userId }) => userId),
    ],
  });
  return rows.map(({ unread }) => unread);
}

export async function updateMarkers(client: Querying, rows: readonly ConversationRow[]): Promise<void> {
  await client.query({
    name: 'markers-update',
    text: `update conversation c
              set version = k.version, read_seq_a = k.read_seq_a, read_seq_b = k.read_seq_b,
                  delivered_seq_a = k.delivered_seq_a, delivered_seq_b = k.delivered_seq_b,
                  unread_a = k.unread_a, unread_b = k.unread_b
             from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[])
               as k (id, version, read_seq_a, read_seq_b, delivered_seq_a, delivered_seq_b, unread_a, unread_b)
            where c.id = k.id`,
    values: [
      rows.map(row => row.id),
      rows.map(row => row.version),
      rows.map(row => row.readSeqA),
      rows.map(row => row.readSeqB),
      rows.map(row => row.deliveredSeqA),
      rows.map(row => row.deliveredSeqB),
      rows.map(row => row.unreadA),
      rows.map(row => row.unreadB),
    ],
  });
}
