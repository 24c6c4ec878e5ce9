import type { Inbox } from '@rapport/bus';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
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

  return {
    once: (consumer, eventId, work) =>
      inTransaction(pool, async client => {
        const { rowCount } = await client.query({
          name: 'inbox-once',
          text: 'insert into consumed_event (consumer, event_id) values ($1, $2) on conflict do nothing',
          values: [consumer, eventId],
        });
        if (rowCount === 0) return 'repeated';
        await work(client);
        return 'handled';
      }),
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
