import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROCESSES } from '@rapport/contracts';
import { startStack, type Postgres, type Stack } from '@rapport/local-stack';
import { startBare } from '../gateway/servers.ts';
import type { Target } from '../load/web-socket.ts';
import { inDatabase, renewDatabase } from '../messaging/databases.ts';

/** Where all servers of a run stand. */
export interface Ground {
  readonly folder: string;
  readonly jwtSecret: string;
  readonly postgres: Postgres;
  readonly atEnd: (stop: () => Promise<void>) => void;
}

export interface Server {
  readonly target: Target;
  stop(): Promise<void>;
}

export interface Product extends Server {
  readonly stack: Stack;
}

/** Every limit that a crowd from one machine would run into. */
const WITHOUT_LIMITS = {
  RATE_LIMIT_BURST: '0',
  RATE_LIMIT_PER_SECOND: '0',
  MAX_HANDSHAKES_PER_SECOND: '0',
  MAX_SOCKETS_PER_USER: '0',
};
const DATABASE = 'presence';

/** A gateway and a presence service, with the times of production, and nothing that has no part in it. */
export async function startProduct(ground: Ground, links: Iterable<[string, string]>): Promise<Product> {
  const { folder, jwtSecret, postgres } = ground;
  await renewDatabase(postgres, DATABASE);
  const dataDir = join(folder, 'stack');
  mkdirSync(dataDir, { recursive: true });
  chmodSync(dataDir, 0o755);
  const others = PROCESSES.filter(name => name !== 'gateway' && name !== 'presence-service');
  const stack = await startStack({
    dataDir,
    jwtSecret,
    databaseUrl: postgres.url,
    processes: Object.fromEntries(others.map(name => [name, 0])),
    env: { ...process.env, ...WITHOUT_LIMITS, CONTACT_POLICY: 'care-team', LOG_LEVEL: 'warn' },
    output: { note: text => console.error(text), line: (name, text) => console.error(`${name} ${text}`) },
  });
  ground.atEnd(() => stack.stop());
  const pairs = [...links];
  await inDatabase(stack.databases['presence-service'], async database => {
    await database.query(
      `insert into care_relationship (client_user_id, therapist_user_id, linked, version, since)
       select client, therapist, true, 1, now() from unnest($1::text[], $2::text[]) as l (client, therapist)
       on conflict do nothing`,
      [pairs.map(([client]) => client), pairs.map(([, therapist]) => therapist)],
    );
    await database.query('analyze care_relationship');
  });
  const { hostname: host, port } = new URL(stack.gateways[0] ?? '');
  return { stack, target: { host, port: Number(port) }, stop: () => stack.stop() };
}

/** Socket.IO that checks the token and lets the socket into the room of its user. */
export function startBaseline({ folder, jwtSecret }: Ground): Promise<Server> {
  return startBare({ folder, jwtSecret }, { checksTokens: true });
}
