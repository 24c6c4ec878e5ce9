import type { Inbox } from '@rapport/bus';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { textArray } from './binary-arrays.ts';
import { inTransaction } from './connection.ts';
import { repeat } from './repeat.ts';

const HOUR_MS = 60 * 60 * 1_000;
/** The stream keeps a fact for 7 days; what is older can come again only by a replay of the outbox. */
const STREAM_HOURS = 7 * 24;
const FORGET_EVERY_MS = HOUR_MS;
/** No statement may take as long as it takes to forget a busy hour. */
const FORGOTTEN_TOGETHER = 10_000;

/** Remembers consumed events in the service's own database, in the transaction of their effect. */
export function startInbox(options: {
  pool: Pool;
  log: Logger;
  outboxRetentionHours: number;
  stopping: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
}): Inbox<PoolClient> {
  const { pool } = options;
  const hours = 2 * Math.max(STREAM_HOURS, options.outboxRetentionHours);
  const forget = (): Promise<void> => forgetConsumedEvents(pool, hours, options.stopping);
  const loop = repeat('forget consumed events', FORGET_EVERY_MS, forget, options.log, options.stopping);
  options.onStop('inbox', () => loop);

  const onceForEach: Inbox<PoolClient>['onceForEach'] = (consumer, eventIds, work) =>
    inTransaction(pool, async client => {
      // In order, so that two replicas that get the same events wait for each other instead of deadlocking.
      const { rows } = await client.query<{ id: string }>({
        name: 'inbox-once',
        text: `insert into consumed_event (consumer, event_id)
               select $1, id from unnest($2::text[]) as id order by id
               on conflict do nothing returning event_id as id`,
        values: [consumer, textArray(eventIds)],
      });
      const newIds = new Set(rows.map(({ id }) => id));
      if (newIds.size > 0) await work(client, newIds);
      return newIds;
    });

  return {
    async once(consumer, eventId, work) {
      const newIds = await onceForEach(consumer, [eventId], work);
      return newIds.size === 0 ? 'repeated' : 'handled';
    },
    onceForEach,
  };
}

/** Batch by batch, until none is left that is older than so many hours. */
export async function forgetConsumedEvents(
  pool: Pool,
  hours: number,
  stopping: AbortSignal,
  together = FORGOTTEN_TOGETHER,
): Promise<void> {
  for (let forgotten = together; forgotten === together && !stopping.aborted;) {
    const { rowCount } = await pool.query(
      `delete from consumed_event where ctid = any(array(
         select ctid from consumed_event where consumed_at < now() - $1 * interval '1 hour' limit $2))`,
      [hours, together],
    );
    forgotten = rowCount ?? 0;
  }
}
