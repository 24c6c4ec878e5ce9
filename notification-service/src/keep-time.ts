import { asDates, inTransaction, repeat } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { cancelDeliveries, changeInbox } from './change-inbox.ts';
import type { TellNews } from './news.ts';

interface TimeOptions {
  pool: Pool;
  log: Logger;
  tellNews: TellNews;
  retentionDays: number;
  stopping: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
}

const EXPIRE_EVERY_MS = 1_000;
const EXPIRE_USERS = 100;
const FORGET_EVERY_MS = 10 * 60 * 1_000;
const FORGET_ROWS = 1_000;
/** As long as the stream keeps facts, and as long again. */
const TOMBSTONE_DAYS = 14;

/** Puts away what has expired or is past its retention, and forgets it when the retention is over. */
export function startKeepingTime(options: TimeOptions): void {
  const { pool, log, stopping } = options;
  const loops = [
    repeat('expire notifications', EXPIRE_EVERY_MS, () => expire(options), log, stopping),
    repeat('forget notifications', FORGET_EVERY_MS, () => forget(pool, options.retentionDays, stopping), log, stopping),
  ];
  options.onStop('expiry', async () => void (await Promise.all(loops)));
}

/** One user after the other, each under the lock of their inbox: a replica that comes second finds nothing left. */
async function expire({ pool, tellNews, retentionDays, stopping }: TimeOptions): Promise<void> {
  const { rows } = await pool.query<{ userId: string }>({
    name: 'expired-users',
    text: `select distinct user_id as "userId" from (
             (select user_id from notification
               where archived_at is null and expires_at is not null and expires_at <= now() limit $1)
             union all
             (select user_id from notification
               where archived_at is null and touched_at <= now() - $2 * interval '1 day'
               order by touched_at limit $1)) as due`,
    values: [EXPIRE_USERS, retentionDays],
  });
  for (const { userId } of rows) {
    if (stopping.aborted) return;
    const { news } = await inTransaction(pool, client =>
      changeInbox(client, userId, new Date(), async () => {
        const expired = await client.query<{ id: string }>({
          name: 'expire',
          text: `update notification set archived_at = now()
                  where id in (select id from notification
                                where user_id = $1 and archived_at is null
                                  and (expires_at <= now() or touched_at <= now() - $2 * interval '1 day') limit 500)
                returning id`,
          values: [userId, retentionDays],
        });
        if (expired.rows.length === 0) return undefined;
        const archivedIds = expired.rows.map(({ id }) => id);
        await cancelDeliveries(client, archivedIds);
        return { archivedIds };
      }),
    );
    tellNews(news);
  }
}

async function forget(pool: Pool, retentionDays: number, stopping: AbortSignal): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query({
      text: `delete from notification where id in (
               select id from notification
                where archived_at is not null and touched_at <= now() - $1 * interval '1 day'
                order by touched_at limit $2)`,
      types: asDates,
      values: [retentionDays, FORGET_ROWS],
    });
    if (stopping.aborted || (rowCount ?? 0) < FORGET_ROWS) break;
  }
  for (const table of ['deleted_message', 'appointment_heard']) {
    await pool.query(`delete from ${table} where heard_at <= now() - $1 * interval '1 day'`, [TOMBSTONE_DAYS]);
  }
}
