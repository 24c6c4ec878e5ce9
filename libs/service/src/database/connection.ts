import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, type EntityManager, type MigrationObject, type Options } from '@mikro-orm/postgresql';
import { AppError } from '@rapport/contracts';
import { Pool, types, type CustomTypesConfig, type PoolClient } from 'pg';
import type { Logger } from 'pino';

/** What a service's database is made of. */
export interface DatabaseDefinition {
  readonly entities: NonNullable<Options['entities']>;
  /** Oldest first. A migration is never changed once it has run anywhere. */
  readonly migrations: readonly MigrationObject[];
}

interface DatabaseOptions {
  url: string;
  poolSize: number;
  definition: DatabaseDefinition;
}

/** No statement of a request takes this long unless something is wrong; the caller has gone by then. */
export const STATEMENT_TIMEOUT_MS = 10_000;
export const CONNECTION_TIMEOUT_MS = 3_000;
/** PostgreSQL's advisory locks are numbers; this one is held while migrations run. */
const MIGRATION_LOCK = 7_271_001;

/**
 * For a statement of our own that reads times: the ORM has the connection leave them as text, to parse
 * them itself. With these types they are a `Date`.
 */
export const asDates: CustomTypesConfig = types;

/** A set of connections to the service's database. */
export interface Database {
  readonly orm: MikroORM;
  /** For the statements of the hot path, which the ORM would make ten times as expensive. */
  readonly pool: Pool;
  /**
   * Resolves when the database answers. Over a connection of its own: one that waited for those of the requests
   * would call a service unready that is merely busy, and take it away from whoever needs it.
   */
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Connects to the database. @throws when it cannot be reached or does not let the user in */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const orm = await MikroORM.init(ormOptions(options, STATEMENT_TIMEOUT_MS));
  const pool = await orm.em.getConnection().getNativeClient();
  outliveConnections(pool);
  await requireVersion(pool);
  const own = new Pool({
    connectionString: options.url,
    max: 1,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  outliveConnections(own);
  return {
    orm,
    pool,
    ping: async () => void (await own.query('select 1')),
    close: async () => void (await Promise.all([orm.close(true), own.end()])),
  };
}

/**
 * A connection that is lost says so as an event as well, which ends the process when nobody listens: a pool listens to
 * those that are idle alone. What was under way on it fails with the same error. It is given back to the pool here,
 * because the ORM keeps one whose rollback fails for ever.
 */
export function outliveConnections(pool: Pool): void {
  const known = new WeakSet<PoolClient>();
  const inUse = new WeakSet<PoolClient>();
  pool.on('error', nothing);
  pool.on('release', (_error, client) => inUse.delete(client));
  pool.on('acquire', client => {
    inUse.add(client);
    if (known.has(client)) return;
    known.add(client);
    client.on('error', () => {
      if (!inUse.has(client)) return;
      client.release(true);
      client.release = nothing;
    });
  });
}

const nothing = (): void => undefined;

/** What is asked of the database is in the words of this version: `returning old`. */
const OLDEST_VERSION = 18;

/** @throws Error when the server is older */
async function requireVersion(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version') as version`);
  const refusal = refusalOf(rows[0]?.version ?? '');
  if (refusal !== undefined) throw new Error(refusal);
}

/** Why a server of the version, as `18.4 (Debian 18.4-1)`, will not do; `undefined` when it will. */
export function refusalOf(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= OLDEST_VERSION) return undefined;
  return `DATABASE_URL: the server is PostgreSQL ${version}, and must be ${OLDEST_VERSION} or later`;
}

/**
 * A service on an older schema than it was written for would fail in the middle of its work.
 * A newer schema is fine: that is how a replica one version behind keeps working.
 * @throws Error that says what to run
 */
export async function assertMigrated(orm: MikroORM): Promise<void> {
  const pending = await orm.migrator.getPending();
  if (pending.length === 0) return;
  const names = pending.map(({ name }) => name).join(', ');
  throw new Error(`the database schema is older than this service (missing: ${names}); run npm run migrate`);
}

/** Brings the schema up to date. Two at once take turns. */
export async function migrate(options: DatabaseOptions, log: Logger): Promise<void> {
  const orm = await MikroORM.init(ormOptions(options, 0));
  try {
    const pool = await orm.em.getConnection().getNativeClient();
    await requireVersion(pool);
    const turn = await pool.connect();
    try {
      await turn.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
      const done = await orm.migrator.up();
      log.info({ migrations: done.map(({ name }) => name) }, 'the database schema is up to date');
    } finally {
      turn.release(true);
    }
  } finally {
    await orm.close(true);
  }
}

/**
 * Runs `work` on one connection in one transaction.
 * @throws AppError `UNAVAILABLE` when the database is not there; whether it committed is then unknown
 */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw asUnavailable(error);
  }
  // A connection that cannot roll back is thrown away.
  let broken = false;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => (broken = true));
    throw asUnavailable(error);
  } finally {
    client.release(broken);
  }
}

/**
 * Runs `work` in one transaction of the ORM, which writes at its end what was changed.
 * @throws AppError `UNAVAILABLE`, as above
 */
export async function inUnitOfWork<T>(orm: MikroORM, work: (em: EntityManager) => Promise<T>): Promise<T> {
  try {
    return await orm.em.fork().transactional(work);
  } catch (error) {
    throw asUnavailable(error);
  }
}

/** For what answers requests: a database that is not there is `UNAVAILABLE`, in whatever statement it shows. */
export function unavailableWithoutDatabase<H extends Record<string, (request: never) => Promise<unknown>>>(
  handlers: H,
): H {
  const guarded = Object.entries(handlers).map(([name, handle]) => [
    name,
    async (request: never) => {
      try {
        return await handle(request);
      } catch (error) {
        throw asUnavailable(error);
      }
    },
  ]);
  return Object.fromEntries(guarded) as H;
}

// Class 08: connection exceptions. 57P0x: the server is stopping, crashed or starting. 53300: too many
// connections. 57014: the statement took longer than it may.
const UNAVAILABLE_STATES = /^(08...|57P0.|53300|57014|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;
// What pg says, without a code, when a connection ends under a query or none becomes free in time.
const UNAVAILABLE_MESSAGES = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;
const RETRY_AFTER_MS = 1_000;

/** What a statement threw, as `UNAVAILABLE` when it says that the database is not there. */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AppError) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (!UNAVAILABLE_STATES.test(code) && !UNAVAILABLE_MESSAGES.test(error.message)) return error;
  return unavailable(error);
}

/** What ended a connection, whatever it calls itself. */
export function unavailable(cause: unknown): AppError {
  return new AppError('UNAVAILABLE', 'the database is not reachable', { retryAfterMs: RETRY_AFTER_MS, cause });
}

function ormOptions({ url, poolSize, definition }: DatabaseOptions, statementTimeoutMs: number): Options {
  return {
    clientUrl: url,
    entities: definition.entities,
    extensions: [Migrator],
    migrations: {
      migrationsList: [...definition.migrations],
      tableName: 'migrations',
      snapshot: false,
      transactional: true,
    },
    pool: { max: poolSize },
    driverOptions: { statement_timeout: statementTimeoutMs, connectionTimeoutMillis: CONNECTION_TIMEOUT_MS },
    // Its log lines quote the values of a query.
    debug: false,
    logger: () => undefined,
  };
}
