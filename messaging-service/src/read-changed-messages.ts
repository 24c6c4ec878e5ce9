import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { ConversationRow } from './conversation.ts';
import { MESSAGE_COLUMNS, type MessageRow } from './message.ts';
import { MESSAGE_BYTES } from './page.ts';

/** A conversation that has changed since the version that a client knows. */
export type Changed = ConversationRow & { since: number };

export interface ChangedMessages {
  /** Conversation by conversation, in version order within each. */
  readonly messages: readonly MessageRow[];
  /** Up to which version each conversation is complete; those that are not in it are for the next page. */
  readonly synced: ReadonlyMap<string, number>;
  readonly hasMore: boolean;
  /** What is left of the bytes. */
  readonly bytesLeft: number;
}

/** Conversations looked through by one statement: most clients have missed something in one or two. */
const CONVERSATIONS_AT_ONCE = 25;

/** Every message of the conversations that was created, edited or deleted since, as far as `limit` and `bytes` go. */
export async function readChangedMessages(
  pool: Pool,
  changed: readonly Changed[],
  limit: number,
  bytes: number,
): Promise<ChangedMessages> {
  const messages: MessageRow[] = [];
  const synced = new Map<string, number>();
  let bytesLeft = bytes;
  for (let start = 0; start < changed.length; start += CONVERSATIONS_AT_ONCE) {
    const group = changed.slice(start, start + CONVERSATIONS_AT_ONCE);
    // One that is full ends here, so what is left of both is more than nothing.
    const { rows, isCut } = await readGroup(pool, group, limit - messages.length, bytesLeft);
    messages.push(...rows);
    bytesLeft = Math.max(0, bytesLeft - rows.reduce((sum, row) => sum + row.bytes, 0));
    const last = rows.at(-1);
    for (const { id, version } of group) {
      if (isCut && id === last?.conversationId) {
        synced.set(id, last.version);
        return { messages, synced, hasMore: true, bytesLeft };
      }
      synced.set(id, version);
    }
    const next = changed[start + CONVERSATIONS_AT_ONCE];
    if (next && (messages.length >= limit || bytesLeft === 0)) return { messages, synced, hasMore: true, bytesLeft };
  }
  return { messages, synced, hasMore: false, bytesLeft };
}

type GroupRow = MessageRow & { bytes: number; total: number };

async function readGroup(
  pool: Pool,
  group: readonly Changed[],
  limit: number,
  bytes: number,
): Promise<{ rows: GroupRow[]; isCut: boolean }> {
  const result = await pool.query<GroupRow>({
    name: 'sync-messages',
    text: `select ${MESSAGE_COLUMNS}, m.bytes, m.total from (
             select m.*, k.place, ${MESSAGE_BYTES} as bytes, count(*) over ()::int as total,
                    sum(${MESSAGE_BYTES}) over (order by k.place, m.version) - (${MESSAGE_BYTES}) as bytes_before
               from unnest($1::uuid[], $2::int[], $3::int[]) with ordinality as k (id, since, until, place)
              cross join lateral (
                select * from message
                 where conversation_id = k.id and version > k.since and version <= k.until
                 order by version limit $4 + 1
              ) m
           ) m
           where m.bytes_before < $5 order by m.place, m.version limit $4`,
    types: asDates,
    values: [
      group.map(({ id }) => id),
      group.map(({ since }) => since),
      group.map(({ version }) => version),
      limit,
      bytes,
    ],
  });
  return { rows: result.rows, isCut: result.rows.length < (result.rows[0]?.total ?? 0) };
}
