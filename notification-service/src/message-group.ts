import { asDates, intArray, textArray } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { NOTIFICATION_COLUMNS, type NotificationRow } from './notification.ts';

/** What the messages of a conversation have in common: they are told as one. */
export function groupOf(conversationId: string): string {
  return `message/${conversationId}`;
}

/** The notification of the conversation that is neither read nor archived: there is at most one. */
export async function findOpen(
  client: PoolClient,
  userId: string,
  conversationId: string,
): Promise<NotificationRow | undefined> {
  const { rows } = await client.query<NotificationRow>({
    name: 'notification-open',
    text: `select ${NOTIFICATION_COLUMNS} from notification n
            where user_id = $1 and group_key = $2 and read_at is null and archived_at is null`,
    types: asDates,
    values: [userId, groupOf(conversationId)],
  });
  return rows[0];
}

/** How far a user has read a conversation. */
export interface ReadMark {
  readonly userId: string;
  readonly conversationId: string;
  readonly readUpToSeq: number;
}

/** What is open of the conversations that were read, with what each still stands for. */
export async function findOpenOf(
  client: PoolClient,
  marks: readonly ReadMark[],
): Promise<{ id: string; userId: string; seqs: number[]; unread: number[] }[]> {
  const { rows } = await client.query<{ id: string; userId: string; seqs: number[]; unread: number[] }>({
    name: 'notifications-open',
    text: `select n.id, n.user_id as "userId", n.seqs, array(
                    select seq from unnest(n.seqs) with ordinality as s (seq, place)
                     where seq > m.read_up_to_seq order by place) as unread
             from unnest($1::text[], $2::text[], $3::int[]) as m (user_id, group_key, read_up_to_seq)
             join notification n on n.user_id = m.user_id and n.group_key = m.group_key
              and n.read_at is null and n.archived_at is null`,
    values: [
      textArray(marks.map(({ userId }) => userId)),
      textArray(marks.map(({ conversationId }) => groupOf(conversationId))),
      intArray(marks.map(({ readUpToSeq }) => readUpToSeq)),
    ],
  });
  return rows;
}
