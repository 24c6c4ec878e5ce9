import { createDatabases } from './databases.ts';
import { accessToForeign, accessToOwn, provisionBus, type BusAccess } from './bus-access.ts';
import type { ServiceName } from '@rapport/contracts';
import { startNats } from './nats.ts';
import type { Output } from './output.ts';
import { startPostgres } from './postgres.ts';
import { inherited } from './process-environment.ts';
import type { Secrets } from './secrets.ts';
import type { StackOptions } from './stack-options.ts';
import type { Supervised } from './supervise.ts';

/** What the processes stand on: NATS with its streams, PostgreSQL with a database for each service. */
export interface Servers {
  readonly bus: BusAccess;
  /** The database `postgres` as the owner. */
  readonly postgres: string;
  readonly databases: Readonly<Record<ServiceName, string>>;
}

/**
 * Starts NATS and PostgreSQL side by side, or takes those of somebody else.
 * @param running receives what is to be stopped, also when the start fails
 */
export async function startServers(
  options: StackOptions,
  secrets: Secrets,
  output: Output,
  running: Supervised[],
): Promise<Servers> {
  const [bus, database] = await Promise.allSettled([
    startBus(options, output, running),
    startDatabases(options, secrets, output, running),
  ]);
  if (bus.status === 'rejected') throw bus.reason;
  if (database.status === 'rejected') throw database.reason;
  return { bus: bus.value, ...database.value };
}

async function startBus(options: StackOptions, output: Output, running: Supervised[]): Promise<BusAccess> {
  const { dataDir: dir, natsUrl, ports, env = {}, consumers, signal } = options;
  const common = { ...(consumers && { consumers }), ...(signal && { signal }) };
  let access: BusAccess;
  if (natsUrl === undefined) {
    const nats = await startNats({ dir, port: ports?.nats ?? 0, env: { ...inherited, ...env }, output, ...common });
    running.push(nats.process);
    access = accessToOwn(nats);
  } else {
    access = accessToForeign(natsUrl, env);
  }
  await provisionBus(access.provisioner, output, common);
  return access;
}

async function startDatabases(
  options: StackOptions,
  secrets: Secrets,
  output: Output,
  running: Supervised[],
): Promise<Omit<Servers, 'bus'>> {
  const { dataDir: dir, databaseUrl, ports, signal } = options;
  if (databaseUrl !== undefined) return { postgres: databaseUrl, databases: await createDatabases(databaseUrl) };
  const postgres = await startPostgres({ dir, port: ports?.postgres ?? 0, output, ...(signal && { signal }) });
  running.push(postgres.process);
  return { postgres: postgres.url, databases: await createDatabases(postgres.url, secrets.databases) };
}
