import pg, { type Connection, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';

/** What runs statements. */
export interface Querying {
  query<Row extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<Row>>;
}

/** What a `Query` of pg does beside what its type says: it writes itself, and takes the messages that come back. */
interface Query {
  readonly name?: string;
  readonly text: string;
  prepare(connection: Connection): void;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
}
type Callback = (error: Error | null, result: QueryResult) => void;
const PgQuery = pg.Query as unknown as new (config: QueryConfig & { callback: Callback }) => Query;

interface Named {
  /** By their names: what the server is about to have. */
  readonly submittedNamedStatements: Record<string, string>;
}

/**
 * Sends the statements that `queue` queues as one: they leave with one system call, and their answers come with one,
 * where each of pg's own queries has the server answer by itself. What fails keeps those after it from running.
 */
export function queryTogether<T>(client: PoolClient, queue: (statements: Querying) => T): T {
  const group = new Group();
  let isSent = false;
  const result = queue({
    query: <Row extends QueryResultRow>(statement: QueryConfig) =>
      new Promise<QueryResult<Row>>((resolve, reject) => {
        if (isSent) throw new TypeError('a statement is queued after the others have left');
        const callback: Callback = (error, answer) => {
          if (error) group.failed = error;
          if (error) reject(error);
          else resolve(answer as QueryResult<Row>);
        };
        group.queries.push(new PgQuery({ types: pg.types, ...statement, callback } as never));
      }),
  });
  isSent = true;
  if (group.queries.length > 0) client.query(group);
  return result;
}

/** For pg it is one query, which hands on to the statement whose turn it is what comes for it. */
class Group {
  readonly queries: Query[] = [];
  failed: Error | undefined;
  #place = 0;

  /** Pg asks for both when the server has parsed the statement. */
  get name(): string | undefined {
    return this.#current?.name;
  }
  get text(): string | undefined {
    return this.#current?.text;
  }

  /** Called with the error when the connection was lost before anything could be sent. */
  readonly callback = (): void => undefined;

  submit(connection: Connection): void {
    // The server answers all of them when it is told to: once, at the end.
    const withoutSync = Object.create(connection, { sync: { value: () => undefined } }) as Connection;
    connection.stream.cork();
    try {
      for (const query of this.queries) {
        query.prepare(withoutSync);
        // A value that cannot be sent: nothing after it may run, and what was before it is not committed.
        if (this.failed) return void connection.stream.destroy(this.failed);
      }
      (connection as unknown as { sync(): void }).sync();
    } finally {
      connection.stream.uncork();
    }
  }

  handleRowDescription(message: unknown): void {
    this.#current?.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#current?.handleDataRow(message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    const query = this.#current;
    this.#place += 1;
    query?.handleCommandComplete(message, connection);
    query?.handleReadyForQuery(connection);
  }

  handleReadyForQuery(): void {
    // Each was told when it was complete.
  }

  handleError(error: Error, connection: Connection): void {
    const { submittedNamedStatements } = connection as unknown as Named;
    for (const query of this.queries.slice(this.#place)) {
      // What the server has skipped it does not know.
      if (query.name !== undefined) delete submittedNamedStatements[query.name];
      query.handleError(error, connection);
    }
  }

  get #current(): Query | undefined {
    return this.queries[this.#place];
  }
}
