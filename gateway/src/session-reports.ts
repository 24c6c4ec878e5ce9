import { setTimeout as sleep } from 'node:timers/promises';
import { requestAsGateway, type Bus } from '@rapport/bus';
import {
  AppError,
  MAX_REPORTED,
  type ChosenStatus,
  type GatewayActor,
  type GatewayCallInput,
  type Presence,
} from '@rapport/contracts';
import type { Logger } from 'pino';
import type { GatewaySocket } from './gateway-socket.ts';

type Report = GatewayCallInput<'session.report'>;
/** What is to be reported, in the order in which it happened. */
type Change =
  | { readonly kind: 'joined'; readonly item: Report['joined'][number] }
  | { readonly kind: 'left'; readonly item: Report['left'][number] }
  | { readonly kind: 'set'; readonly item: Report['set'][number]; readonly done: () => void };

export interface SessionReports {
  join(socket: GatewaySocket): void;
  leave(socket: GatewaySocket): void;
  /** Resolves when it is committed. @throws AppError `UNAVAILABLE` when that takes too long; it still follows then */
  set(socket: GatewaySocket, status: ChosenStatus): Promise<void>;
  /** Reports what is left, once. */
  stop(): Promise<void>;
}

interface SessionReportsOptions {
  bus: Bus;
  actor: GatewayActor;
  log: Logger;
  /** Those that are connected: what is reported when everything has to be. */
  sockets: ReadonlyMap<string, GatewaySocket>;
  /** The presence service knows that these are connected, and says of as many as it can, from the first on, whom they see. */
  onReported: (joined: Report['joined'], states: readonly (readonly Presence[])[]) => void;
  /** The number of the latest revocation that the presence service knows of. */
  onRevocation: (number: number) => void;
}

/** Changes are collected for this long: one report, and one transaction, for all of them. */
const COLLECT_MS = 25;
/** Until the presence service says what it gives up a gateway after. */
const FIRST_LEASE_MS = 15_000;
const REPORTS_PER_LEASE = 5;
/** A replica that does not answer within this time may be stopped: another one may get the repeat. */
const REPORT_TIMEOUT_MS = 2_000;
const LAST_REPORT_TIMEOUT_MS = 300;
const RETRY_MS = 250;
/** While the presence service is down. Above it everything there is will be reported instead, which waits nowhere. */
const MOST_QUEUED = 10 * MAX_REPORTED;
const RETRY_AFTER_MS = 1_000;

/**
 * Reports the sessions of this gateway to the presence service, in order, one report at a time, each repeated until
 * it is answered. Without news a report says that the gateway lives. When the presence service has lost track, it
 * gets everything there is.
 */
export function startSessionReports(options: SessionReportsOptions): SessionReports {
  const { bus, log, sockets, actor } = options;
  const stopping = new AbortController();
  let queue: Change[] = [];
  /** Everything there is has to be reported, so what joins or leaves until then need not be. */
  let reportsAll = true;
  let seq = 0;
  let leaseMs = FIRST_LEASE_MS;
  let isDown = false;
  /** Sent, and not answered yet. */
  let underWay: Omit<Report, 'seq'> | undefined;
  let endPause = (): void => undefined;
  let isIdle = false;

  const pause = (milliseconds: number): Promise<void> =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const forgetTrack = (unsent: readonly Change[]): void => {
    reportsAll = true;
    // What somebody chose is nowhere else.
    queue = [...unsent, ...queue].filter(({ kind }) => kind === 'set');
  };

  const push = (change: Change): void => {
    if (reportsAll && change.kind !== 'set') return;
    queue.push(change);
    if (isDown && !reportsAll && queue.length > MOST_QUEUED) forgetTrack([]);
    if (isIdle) endPause();
  };

  const request = async (report: Omit<Report, 'seq'>, timeoutMs: number): Promise<boolean> => {
    const reply = await requestAsGateway(
      bus,
      'session.report',
      { actor, input: { seq: seq + 1, ...report } },
      { timeoutMs },
    );
    const ack = reply.read();
    if (!ack.ok) throw new AppError(ack.error.code, ack.error.message);
    seq += 1;
    underWay = undefined;
    ({ leaseMs } = ack.data);
    options.onRevocation(ack.data.revocation);
    if (ack.data.known && report.joined.length > 0) options.onReported(report.joined, ack.data.states);
    return ack.data.known;
  };

  /** @returns whether it was applied; otherwise everything has to be reported */
  const send = async (report: Omit<Report, 'seq'>): Promise<boolean> => {
    underWay = report;
    for (;;) {
      stopping.signal.throwIfAborted();
      try {
        const known = await request(report, REPORT_TIMEOUT_MS);
        if (isDown) log.info('the presence service answers again');
        isDown = false;
        return known;
      } catch (error) {
        if (!isDown) log.warn({ err: error }, 'sessions could not be reported, trying again');
        isDown = true;
        if (error instanceof AppError && error.code === 'INVALID_PAYLOAD') return false;
      }
      await pause(RETRY_MS * (0.5 + Math.random()));
    }
  };

  const reportAll = async (): Promise<void> => {
    const joined = [...sockets.values()].map(toJoined);
    reportsAll = false;
    for (let from = 0; from === 0 || from < joined.length; from += MAX_REPORTED) {
      const page = joined.slice(from, from + MAX_REPORTED);
      const position = { begin: from === 0, end: from + MAX_REPORTED >= joined.length };
      if (await send({ ...position, joined: page, set: [], left: [] })) continue;
      forgetTrack([]);
      return;
    }
  };

  const reportChanges = async (): Promise<void> => {
    const changes = queue.splice(0, MAX_REPORTED);
    if (!(await send({ begin: false, end: false, ...byKind(changes) }))) {
      forgetTrack(changes);
      return;
    }
    settle(changes);
  };

  const settle = (changes: readonly Change[]): void => {
    for (const change of changes) {
      if (change.kind === 'set') change.done();
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await (reportsAll ? reportAll() : reportChanges());
      isIdle = queue.length === 0 && !reportsAll;
      if (isIdle) await pause(leaseMs / REPORTS_PER_LEASE);
      isIdle = false;
      if (!stopping.signal.aborted) await pause(COLLECT_MS);
    }
  };
  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) bus.observer.fatal(error instanceof Error ? error : new Error(String(error)));
  });

  return {
    join: socket => push({ kind: 'joined', item: toJoined(socket) }),
    leave: socket => {
      const { identity, leaving } = socket.data;
      push({ kind: 'left', item: { socketId: socket.id, userId: identity.actor.userId, gatewayStops: leaving } });
    },
    async set(socket, status) {
      socket.data.away = status === 'away';
      const item = { socketId: socket.id, userId: socket.data.identity.actor.userId, status };
      const isCommitted = await new Promise<boolean>(resolve => {
        const timer = setTimeout(() => resolve(false), bus.requestTimeoutMs);
        const done = (): void => {
          clearTimeout(timer);
          resolve(true);
        };
        push({ kind: 'set', item, done });
      });
      if (isCommitted) return;
      throw new AppError('UNAVAILABLE', 'the presence service did not answer in time', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    },
    async stop() {
      stopping.abort();
      endPause();
      await Promise.race([running, sleep(LAST_REPORT_TIMEOUT_MS)]);
      try {
        if (underWay) await request(underWay, LAST_REPORT_TIMEOUT_MS);
        while (queue.length > 0 && !reportsAll) {
          const changes = queue.splice(0, MAX_REPORTED);
          await request({ begin: false, end: false, ...byKind(changes) }, LAST_REPORT_TIMEOUT_MS);
          settle(changes);
        }
      } catch (error) {
        // The lease of this gateway ends the sessions then.
        log.warn({ err: error }, 'the last sessions could not be reported');
      }
    },
  };
}

function toJoined(socket: GatewaySocket): Report['joined'][number] {
  return { socketId: socket.id, userId: socket.data.identity.actor.userId, away: socket.data.away };
}

function byKind(changes: readonly Change[]): Pick<Report, 'joined' | 'set' | 'left'> {
  return {
    joined: changes.flatMap(({ kind, item }) => (kind === 'joined' ? item : [])),
    set: changes.flatMap(({ kind, item }) => (kind === 'set' ? item : [])),
    left: changes.flatMap(({ kind, item }) => (kind === 'left' ? item : [])),
  };
}
