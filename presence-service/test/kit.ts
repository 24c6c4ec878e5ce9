import { randomUUID } from 'node:crypto';
import type { Bus } from '@rapport/bus';
import type { GatewayCallInput } from '@rapport/contracts';
import type { Nats, Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { migrate } from '../../libs/service/src/database/connection.ts';
import { connectPipeline } from '../../libs/service/src/database/pipeline.ts';
import { atEnd, busAs, newDatabase, recordedLog } from '../../libs/service/test/kit.ts';
import { createAnnounce, type AnnounceOptions } from '../src/announce.ts';
import { database } from '../src/database.ts';
import { makeStore } from '../src/lease.ts';
import { createReportSessions } from '../src/report-sessions.ts';
import { createSweep } from '../src/sweep.ts';

export const GRACE = { afterEnd: 5_000, afterLoss: 15_000 };

type Report = GatewayCallInput<'session.report'>;

/** The service's own database, empty and migrated. */
export async function presenceDatabase(postgres: Postgres): Promise<{ url: string; pool: Pool }> {
  const url = await newDatabase(postgres);
  await migrate({ url, poolSize: 2, definition: database }, recordedLog().log);
  // As the service has them for its reports and sweeps.
  const pipeline = connectPipeline({ url, size: 10, log: recordedLog().log });
  atEnd(() => pipeline.close());
  const { pool } = pipeline;
  await makeStore(pool);
  return { url, pool };
}

/** What was announced of a person: `online`, `offline` or the status. */
export type Told = [userId: string, what: string][];

/** A replica of the service whose clock is set by the test. */
export interface Replica {
  report(gateway: string, seq: number, changes?: Partial<Report>): Promise<boolean>;
  /** Does what is due at that moment, for one who could hear since `since`. */
  sweep(now: Date, since?: Date): Promise<void>;
}

/**
 * Everybody may see everybody, so that each change is one broadcast.
 * @param count called for each, before it is marked as told
 */
export async function startReplica(
  nats: Nats,
  pool: Pool,
  count: AnnounceOptions['count'] = () => undefined,
): Promise<Replica> {
  const bus: Bus = await busAs(nats, 'presence-service');
  const announcing: AnnounceOptions = { bus, pool, policy: 'open', count };
  const announce = createAnnounce(announcing);
  const report = createReportSessions({ pool, policy: 'open', grace: GRACE, announce });
  let attention = { now: new Date(0), since: new Date(0) };
  const look = () => Promise.resolve(attention);
  const { log } = recordedLog();
  const stopping = new AbortController().signal;
  const sweep = createSweep({ pool, grace: GRACE, announce, announcing, look, log, stopping });
  return {
    async report(gateway, seq, changes = {}) {
      const input = { seq, begin: false, end: false, joined: [], set: [], left: [], ...changes };
      return (await report({ actor: { gateway }, input })).known;
    },
    async sweep(now, since = new Date(0)) {
      attention = { now, since };
      await sweep();
      await bus.connection.flush();
    },
  };
}

export const newGateway = (): string => randomUUID();
export const joined = (socketId: string, userId: string, away = false) => ({ socketId, userId, away });
export const left = (socketId: string, userId: string, gatewayStops = false) => ({ socketId, userId, gatewayStops });

/** `seconds` from now. */
export const later = (seconds: number): Date => new Date(Date.now() + seconds * 1_000);

/** Everything that is announced from now on. */
export async function listenToNews(nats: Nats): Promise<{ told: Told; settled: () => Promise<void> }> {
  const developer = await busAs(nats, 'developer');
  const told: Told = [];
  developer.connection.subscribe('deliver.v1.all.user.*', {
    callback: (_, message) => {
      const { userId, status } = JSON.parse(message.string()) as { userId: string; status?: string };
      told.push([userId, status ?? message.subject.replace('deliver.v1.all.user.', '')]);
    },
  });
  await developer.connection.flush();
  return { told, settled: () => developer.connection.flush() };
}
