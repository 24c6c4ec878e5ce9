import type { UserRequest } from '@rapport/bus';
import { AppError } from '@rapport/contracts';
import { inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { validate as isUuid } from 'uuid';
import { cancelDeliveries, changeInbox, type InboxChange } from './change-inbox.ts';
import type { InboxState } from './inbox.ts';
import type { TellNews } from './news.ts';

interface InboxOptions {
  pool: Pool;
  tellNews: TellNews;
}

/** Marks one notification as read. @throws AppError `NOT_FOUND` when the caller has none of this id */
export function createReadNotification(options: InboxOptions) {
  return ({ actor, input }: UserRequest<'notification:read'>): Promise<InboxState> =>
    change(options, actor.userId, async client => {
      const id = requireUuid(input.notificationId);
      const { rowCount } = await client.query({
        name: 'notification-read',
        text: `update notification set read_at = now() where id = $1 and user_id = $2 and read_at is null`,
        values: [id, actor.userId],
      });
      if (rowCount === 0) {
        await requireOwn(client, id, actor.userId);
        return undefined;
      }
      await cancelDeliveries(client, [id]);
      return { readIds: [id] };
    });
}

/** Puts one away. @throws AppError `NOT_FOUND` when the caller has none of this id */
export function createArchiveNotification(options: InboxOptions) {
  return ({ actor, input }: UserRequest<'notification:archive'>): Promise<InboxState> =>
    change(options, actor.userId, async client => {
      const id = requireUuid(input.notificationId);
      const { rowCount } = await client.query({
        name: 'notification-archive',
        text: `update notification set archived_at = now() where id = $1 and user_id = $2 and archived_at is null`,
        values: [id, actor.userId],
      });
      if (rowCount === 0) {
        await requireOwn(client, id, actor.userId);
        return undefined;
      }
      await cancelDeliveries(client, [id]);
      return { archivedIds: [id] };
    });
}

/** Marks everything as read that is listed by now; what is wanted on other channels alone has not been seen. */
export function createReadAllNotifications(options: InboxOptions) {
  return ({ actor }: UserRequest<'notification:read-all'>): Promise<InboxState> =>
    change(options, actor.userId, async client => {
      const { rows } = await client.query<{ id: string }>({
        name: 'notification-read-all',
        text: `update notification set read_at = now()
                where user_id = $1 and read_at is null and archived_at is null and not hidden returning id`,
        values: [actor.userId],
      });
      if (rows.length === 0) return undefined;
      await cancelDeliveries(
        client,
        rows.map(({ id }) => id),
      );
      return { allRead: true };
    });
}

async function change(
  { pool, tellNews }: InboxOptions,
  userId: string,
  work: (client: PoolClient) => Promise<InboxChange | undefined>,
): Promise<InboxState> {
  const { state, news } = await inTransaction(pool, client =>
    changeInbox(client, userId, new Date(), () => work(client)),
  );
  tellNews(news);
  return state;
}

async function requireOwn(client: PoolClient, id: string, userId: string): Promise<void> {
  const { rowCount } = await client.query({
    name: 'notification-own',
    text: 'select from notification where id = $1 and user_id = $2',
    values: [id, userId],
  });
  if (rowCount === 0) throw notFound();
}

function requireUuid(id: string): string {
  if (!isUuid(id)) throw notFound();
  return id.toLowerCase();
}

function notFound(): AppError {
  return new AppError('NOT_FOUND', 'you have no notification of this id');
}
