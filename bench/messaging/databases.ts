import type { Postgres } from '@rapport/local-stack';
import { Client } from 'pg';

/** Runs `work` with a connection of its own. */
export async function inDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes the database anew, empty. Resolves to its URL. */
export async function renewDatabase(postgres: Postgres, name: string): Promise<string> {
  await inDatabase(postgres.url, async client => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
    // Otherwise the one who comes next pays for what the one before has written.
    await client.query('checkpoint');
  });
  return urlOf(postgres, name);
}

export function urlOf({ url }: Postgres, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
