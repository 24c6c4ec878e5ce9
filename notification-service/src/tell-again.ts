import { deliver, type Bus } from '@rapport/bus';
import type { OutboxFact } from '@rapport/service/database';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import { inboxStates } from './inbox.ts';
import { NOTIFICATION_COLUMNS, type NotificationRow, type Reader, type ShowNotification } from './notification.ts';

/** Tells of a change that was left over: how it is now, or nothing when it is over. */
export function createTellAgain({ bus, pool, show }: { bus: Bus; pool: Pool; show: ShowNotification }) {
  const stateOf = async (userId: string) =>
    (await inboxStates(pool, [userId])).get(userId) ?? { unreadCount: 0, version: 0 };
  return {
    created: async ({ data }: OutboxFact<'notification.created'>): Promise<void> => {
      const { rows } = await pool.query<NotificationRow & Reader>({
        text: `select ${NOTIFICATION_COLUMNS}, p.locale, p.time_zone as "timeZone"
                 from notification n left join profile p on p.user_id = n.user_id
                where id = $1 and read_at is null and archived_at is null and not hidden
                  and (expires_at is null or expires_at > now())`,
        types: asDates,
        values: [data.notificationId],
      });
      const [row] = rows;
      if (!row) return;
      const state = await stateOf(data.userId);
      deliver(bus, { user: data.userId }, 'notification:new', { ...show(row, row), ...state });
    },
    changed: async ({ data }: OutboxFact<'notification.changed'>): Promise<void> => {
      const { userId, readIds, archivedIds, allRead } = data;
      deliver(bus, { user: userId }, 'notification:updated', {
        ...(await stateOf(userId)),
        ...(readIds && { readIds }),
        ...(archivedIds && { archivedIds }),
        // More may have come since: only those before are read, and the client has no way to know which.
        ...(allRead && { allRead }),
      });
    },
  };
}
