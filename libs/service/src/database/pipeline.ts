import { DatabaseError, Pool, type PoolClient, type PoolConfig } from 'pg';
import type { Logger } from 'pino';
import {
  asUnavailable,
  CONNECTION_TIMEOUT_MS,
  outliveConnections,
  STATEMENT_TIMEOUT_MS,
  unavailable,
} from './connection.ts';
import { queryTogether, type Querying } from './statements.ts';

/** Connections whose statements are sent without waiting for the answer to the one before. */
export interface Pipeline {
  readonly pool: Pool;
  close(): Promise<void>;
}

/**
 * Statements are prepared, and planned once: plans made anew for each batch would cost more than they save. A plan may be
 * made while a table is empty and be used when it is not, so it must be the one that is right for a large one: look
 * every row up by its index.
 */
const PLAN_ONCE = 'set plan_cache_mode = force_generic_plan; set enable_seqscan = off';

/** Connects for a hot path, beside the ORM: every statement must find its rows by an index. */
export function connectPipeline({ url, size, log }: { url: string; size: number; log: Logger }): Pipeline {
  // The types of pg know nothing of `pipeline` yet.
  const options: PoolConfig & { pipeline: true } = {
    connectionString: url,
    max: size,
    pipeline: true,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
  };
  const pool = new Pool(options);
  outliveConnections(pool);
  pool.on('error', error => log.warn({ err: error }, 'an idle database connection was lost'));
  pool.on('connect', client => {
    client.query(PLAN_ONCE).catch((error: unknown) => {
      log.warn({ err: error }, 'a database connection could not be set up');
    });
  });
  return { pool, close: () => pool.end() };
}

const BEGIN = { name: 'begin', text: 'begin' };
const COMMIT = { name: 'commit', text: 'commit' };

interface PipelinedWork<Read, Result> {
  /** Queues statements whose answers decide what is written. */
  read: (statements: Querying) => Promise<Read>;
  /**
   * Decides, and queues the statements that write before it returns. `undefined` when there is nothing to commit: then
   * the transaction is rolled back.
   */
  write: (statements: Querying, read: Read) => { result: Result; written: Promise<unknown> } | undefined;
}

/**
 * One transaction in two round trips: begin and read; write and commit.
 * @throws AppError `UNAVAILABLE` when the database is not there; whether it committed is then unknown
 */
export async function inPipelinedTransaction<Read, Result>(
  { pool }: Pipeline,
  { read, write }: PipelinedWork<Read, Result>,
): Promise<Result | undefined> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw asUnavailable(error);
  }
  // A connection that cannot roll back is thrown away.
  let broken = false;
  let mayBeCommitted = false;
  try {
    const [, found] = await queryTogether(client, statements =>
      Promise.all([statements.query(BEGIN), read(statements)]),
    );
    const ending = queryTogether(client, statements => {
      const writing = write(statements, found);
      mayBeCommitted = writing !== undefined;
      return writing && { ...writing, committed: statements.query(COMMIT) };
    });
    if (!ending) {
      await client.query('rollback');
      return undefined;
    }
    const [{ command }] = await Promise.all([ending.committed, ending.written]);
    mayBeCommitted = false;
    // A transaction that failed answers a commit with a rollback, and no error.
    if (command !== 'COMMIT') throw new Error('a transaction was not committed');
    return ending.result;
  } catch (error) {
    await client.query('rollback').catch(() => (broken = true));
    // What the server refused is not committed. After anything else it may be, and nothing may be written once more.
    throw mayBeCommitted && !(error instanceof DatabaseError) ? unavailable(error) : asUnavailable(error);
  } finally {
    client.release(broken);
  }
}
