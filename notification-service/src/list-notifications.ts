import type { UserRequest } from '@rapport/bus';
import { invalidPayload, type Notification, type UserOutput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool } from 'pg';
import { validate as isUuid } from 'uuid';
import { inboxStates } from './inbox.ts';
import { NOTIFICATION_COLUMNS, type NotificationRow, type Reader, type ShowNotification } from './notification.ts';

/** A page ends before this: with its envelope it has to fit into a NATS message of 1 MB. */
const PAGE_BYTES = 700_000;

/** Where a page ends: the next one begins behind it. */
interface Position {
  readonly touchedAt: Date;
  readonly id: string;
}

/** The caller's notifications, newest first. */
export function createListNotifications({ pool, show }: { pool: Pool; show: ShowNotification }) {
  return async ({
    actor: { userId },
    input,
  }: UserRequest<'notification:list'>): Promise<UserOutput<'notification:list'>> => {
    const after = input.cursor === undefined ? undefined : readCursor(input.cursor);
    const [{ rows }, states] = await Promise.all([
      pool.query<NotificationRow & Reader>({
        name: 'notification-list',
        text: `select ${NOTIFICATION_COLUMNS}, p.locale, p.time_zone as "timeZone"
                 from notification n left join profile p on p.user_id = n.user_id
                where n.user_id = $1 and archived_at is null and not hidden
                  and (expires_at is null or expires_at > now())
                  and (not $2::boolean or read_at is null)
                  and ($3::timestamptz is null or (touched_at, id) < ($3, $4::uuid))
                order by touched_at desc, id desc limit $5`,
        types: asDates,
        values: [userId, input.unreadOnly, after?.touchedAt ?? null, after?.id ?? null, input.limit + 1],
      }),
      inboxStates(pool, [userId]),
    ]);
    const { unreadCount = 0, version = 0 } = states.get(userId) ?? {};
    const shown = rows.slice(0, input.limit).map(row => show(row, row));
    const page = withinBytes(shown);
    const last = rows[page.length - 1];
    return {
      notifications: page,
      ...(page.length < rows.length && last && { nextCursor: writeCursor(last) }),
      unreadCount,
      version,
    };
  };
}

/** At least one: no single notification is that large. */
function withinBytes(notifications: readonly Notification[]): Notification[] {
  let bytes = 0;
  const end = notifications.findIndex((notification, index) => {
    bytes += Buffer.byteLength(JSON.stringify(notification));
    return index > 0 && bytes > PAGE_BYTES;
  });
  return notifications.slice(0, end === -1 ? undefined : end);
}

function writeCursor({ touchedAt, id }: Position): string {
  return Buffer.from(`${touchedAt.getTime()}.${id}`).toString('base64url');
}

function readCursor(cursor: string): Position {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split('.');
  if (!/^\d{1,15}$/.test(time) || !isUuid(id)) {
    throw invalidPayload({ path: 'cursor', message: 'must be the nextCursor of a page' });
  }
  return { touchedAt: new Date(Number(time)), id };
}
