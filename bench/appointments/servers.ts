import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectBus, requestAsService, type Bus } from '@rapport/bus';
import type { BusUser, ErrorCode, ServiceInput } from '@rapport/contracts';
import { startStack, type Stack } from '@rapport/local-stack';
import { Pool } from 'pg';
import { silentObserver } from '../../e2e/silent-observer.ts';
import type { Footing } from '../run/run-bench.ts';

/** The product with three appointment services, and those who use and watch it. */
export interface Ground {
  readonly stack: Stack;
  readonly backOffice: Bus;
  /** May watch everything. */
  readonly developer: Bus;
  /** The appointment service's own database. */
  readonly database: Pool;
}

export const REPLICAS = 3;
/** A caller that waits longer has gone; what it is told then counts as a failure. */
const REQUEST_TIMEOUT_MS = 10_000;

export async function startGround({ folder, atEnd }: Footing): Promise<Ground> {
  const dataDir = join(folder, 'stack');
  mkdirSync(dataDir, { recursive: true });
  // PostgreSQL may run as another user, who must be able to get there.
  for (const dir of [folder, dataDir]) chmodSync(dir, 0o755);
  const others = { gateway: 1, 'messaging-service': 0, 'notification-service': 0 };
  const stack = await startStack({
    dataDir,
    processes: { ...others, 'appointment-service': REPLICAS },
    env: { ...process.env, LOG_LEVEL: 'warn' },
    output: { note: text => console.error(text), line: () => undefined },
  });
  atEnd(() => stack.stop());
  const [backOffice, developer] = await Promise.all([busOf(stack, 'back-office'), busOf(stack, 'developer')]);
  const database = new Pool({ connectionString: stack.databases['appointment-service'], max: 2 });
  atEnd(async () => {
    await Promise.all([backOffice.connection.close(), developer.connection.close(), database.end()]);
  });
  return { stack, backOffice, developer, database };
}

function busOf(stack: Stack, user: BusUser): Promise<Bus> {
  const url = new URL(stack.nats[user]);
  return connectBus({
    servers: url.host,
    as: user,
    user: url.username,
    password: url.password,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    observer: silentObserver,
  });
}

/** Nothing is booked any more. */
export async function emptyTables(database: Pool): Promise<void> {
  await database.query('truncate appointment, appointment_change, booking_key, reminder, series, outbox');
  await database.query('checkpoint').catch(() => undefined);
}

/** Books as the back office does, and resolves to what came of it. */
export async function book(
  { backOffice }: Ground,
  input: Pick<ServiceInput<'appointment.book'>, 'clientId' | 'therapistId' | 'startTime' | 'endTime'>,
): Promise<ErrorCode | 'OK'> {
  const body = { actor: { service: 'bench' }, input: { ...input, timeZone: 'Europe/Berlin' } };
  const reply = await requestAsService(backOffice, 'appointment.book', body).catch(() => undefined);
  return reply?.code ?? 'UNAVAILABLE';
}
