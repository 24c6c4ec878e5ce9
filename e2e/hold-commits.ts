import type { Pool } from 'pg';
import { until } from '../libs/service/test/kit.ts';

const LOCK = 4_711;

interface HeldCommits {
  /** Resolves when a transaction has done everything but its commit, and waits in that. */
  held(): Promise<void>;
  /** Lets them go on. */
  release(): Promise<void>;
}

/**
 * From now on the commit of every transaction that inserts such a row waits until it is released.
 * @param when an SQL condition on `new`
 */
export async function holdCommits(database: Pool, table: string, when = 'true'): Promise<HeldCommits> {
  await database.query(
    `create or replace function wait_at_commit() returns trigger language plpgsql as
       $$ begin perform pg_advisory_xact_lock(${LOCK}); return null; end $$`,
  );
  await database.query(
    `create constraint trigger wait_at_commit after insert on ${table} deferrable initially deferred
       for each row when (${when}) execute function wait_at_commit()`,
  );
  const holder = await database.connect();
  await holder.query('select pg_advisory_lock($1)', [LOCK]);
  return {
    held: () =>
      until(async () => {
        const waiting = await database.query(
          `select from pg_locks where locktype = 'advisory' and objid = ${LOCK} and not granted`,
        );
        return waiting.rowCount === 1;
      }),
    async release() {
      await holder.query('select pg_advisory_unlock($1)', [LOCK]);
      holder.release();
      // Waits for the transactions that are under way.
      await database.query(`drop trigger wait_at_commit on ${table}`);
    },
  };
}
