import { asDates } from '@rapport/service/database';
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
