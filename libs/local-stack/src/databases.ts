import { SERVICES, type ServiceName } from '@rapport/contracts';
import { Client } from 'pg';
import { StackError } from './stack-error.ts';

/** `messaging-service` keeps its data in the database `messaging`. */
function databaseOf(service: ServiceName): string {
  return service.replace(/-service$/, '');
}

/**
 * Makes a database for each service where there is none, and returns where each service connects.
 * @param passwords of the services' own roles, each of which owns its database and can reach no other. Without
 *   them, the server is somebody else's: the services connect as the user of `serverUrl`.
 * @throws StackError when the server cannot be reached
 */
export async function createDatabases(
  serverUrl: string,
  passwords?: Readonly<Record<ServiceName, string>>,
): Promise<Record<ServiceName, string>> {
  const client = new Client({ connectionString: serverUrl });
  client.on('error', () => {});
  await client.connect().catch((error: unknown) => {
    const { code, message } = error as Error & { code?: string };
    throw new StackError(`The PostgreSQL server of DATABASE_URL cannot be reached: ${message || code}.`);
  });
  try {
    const urls: Partial<Record<ServiceName, string>> = {};
    for (const service of SERVICES) {
      const database = databaseOf(service);
      if (passwords) await keepRole(client, database, passwords[service]);
      if (!(await exists(client, 'SELECT FROM pg_database WHERE datname = $1', database))) {
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
      }
      if (passwords) await giveAway(client, database);
      urls[service] = urlOf(serverUrl, database, passwords?.[service]);
    }
    return urls as Record<ServiceName, string>;
  } finally {
    await client.end();
  }
}

async function keepRole(client: Client, role: string, password: string): Promise<void> {
  const verb = (await exists(client, 'SELECT FROM pg_roles WHERE rolname = $1', role)) ? 'ALTER' : 'CREATE';
  await client.query(`${verb} ROLE ${client.escapeIdentifier(role)} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
}

/** To its own role, and closed to the others'. */
async function giveAway(client: Client, database: string): Promise<void> {
  const name = client.escapeIdentifier(database);
  await client.query(`ALTER DATABASE ${name} OWNER TO ${name}`);
  await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
}

async function exists(client: Client, query: string, name: string): Promise<boolean> {
  return (await client.query(query, [name])).rowCount === 1;
}

function urlOf(serverUrl: string, database: string, password: string | undefined): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  if (password !== undefined) {
    url.username = database;
    url.password = password;
  }
  return url.href;
}
