import type { GatewayCall } from '@rapport/bus';
import type { GatewayCallInput, GatewayCallOutput } from '@rapport/contracts';
import { inTransaction } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import type { Announce, ContactPolicy } from './announce.ts';
import { contactsThere } from './contacts.ts';
import { receiveReport, wantCheck } from './lease.ts';
import type { Change } from './news.ts';
import { statesOf, statesOfAll } from './presence-state.ts';
import { lockPeople, settle } from './settle.ts';
import { choose } from './status.ts';

type Report = GatewayCallInput<'session.report'>;

/** How long who is gone is still shown, in milliseconds. */
export interface Grace {
  /** After the last session ended in good order. */
  readonly afterEnd: number;
  /** After the gateway that held it was lost, or stopped. */
  readonly afterLoss: number;
}

/**
 * Commits what changed on a gateway in one transaction, then announces who is shown another status by it, and replies
 * with what those who joined see: read after the commit, so that whatever changes later is delivered to them.
 */
export function createReportSessions({ pool, policy, grace, announce }: ReportOptions) {
  return async ({ actor, input }: GatewayCall<'session.report'>): Promise<GatewayCallOutput<'session.report'>> => {
    const { known, changes, revocation } = await inTransaction(pool, async client => {
      const reception = await receiveReport(client, actor.gateway, input);
      const [applied, last] = await Promise.all([
        reception.apply ? apply(client, actor.gateway, input, reception, grace) : [],
        lastRevocation(client),
      ]);
      return { known: reception.apply || reception.known, changes: applied, revocation: last };
    });
    // A repeat has its states asked for: they are read when they are needed.
    const viewers = known ? input.joined.map(({ userId }) => userId) : [];
    const reply = { known, leaseMs: grace.afterLoss, revocation };
    if (policy === 'open') {
      await announce(changes);
      return { ...reply, states: viewers.length > 0 ? await statesOfAll(pool, viewers) : [] };
    }
    const there = await contactsThere(pool, [...new Set([...viewers, ...changes.map(({ userId }) => userId)])]);
    await announce(changes, there);
    return { ...reply, states: statesOf(viewers, there) };
  };
}

interface ReportOptions {
  pool: Pool;
  policy: ContactPolicy;
  grace: Grace;
  announce: Announce;
}

async function lastRevocation(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ last: number }>({
    name: 'revocation-last',
    text: 'select last from revocation_counter',
  });
  return rows[0]?.last ?? 0;
}

async function apply(
  client: PoolClient,
  gateway: string,
  report: Report,
  { now, begunSeq }: { now: Date; begunSeq: number },
  grace: Grace,
): Promise<Change[]> {
  const { seq, begin, end, joined, set, left } = report;
  if (begin && !end) await wantCheck(client);
  const forgotten = end ? await usersOfForgotten(client, gateway, begunSeq, joined) : [];
  const userIds = [...joined, ...set, ...left].map(({ userId }) => userId).concat(forgotten);
  if (userIds.length === 0) return [];
  const people = await lockPeople(client, userIds);
  const dnd = new Map(set.map(({ userId, status }) => [userId, choose(status).dnd]));
  // Sent one after the other, and answered in that order: what comes last sees what came before.
  const writing = [
    ...(joined.length > 0 ? join(client, gateway, seq, joined) : []),
    ...(set.length > 0 ? [setAway(client, gateway, set)] : []),
    ...(left.length > 0 ? [leave(client, gateway, left, now, grace)] : []),
    ...(forgotten.length > 0 ? [endForgotten(client, gateway, begunSeq, now, grace)] : []),
  ];
  const [changes] = await Promise.all([settle(client, people, now, dnd), ...writing]);
  return changes;
}

/** A session that begins takes the place of those of its person that have ended: they need no grace any more. */
function join(client: PoolClient, gateway: string, seq: number, joined: Report['joined']): Promise<unknown>[] {
  const replacing = client.query({
    name: 'session-replace',
    text: 'delete from session where user_id = any($1) and counts_until is not null',
    values: [joined.map(({ userId }) => userId)],
  });
  const joining = client.query({
    name: 'session-join',
    text: `insert into session (gateway, socket_id, user_id, away, reported_seq)
           select $1, j.socket_id, j.user_id, j.away, $2
             from unnest($3::text[], $4::text[], $5::boolean[]) as j (socket_id, user_id, away)
           on conflict (gateway, socket_id) do update
             set away = excluded.away, reported_seq = excluded.reported_seq, ended_at = null, counts_until = null`,
    values: [
      gateway,
      seq,
      joined.map(({ socketId }) => socketId),
      joined.map(({ userId }) => userId),
      joined.map(({ away }) => away),
    ],
  });
  return [replacing, joining];
}

async function setAway(client: PoolClient, gateway: string, set: Report['set']): Promise<void> {
  // The last word of a socket is the one that holds.
  const words = [...new Map(set.map(({ socketId, status }) => [socketId, choose(status).away]))];
  await client.query({
    name: 'session-away',
    text: `update session s set away = w.away from unnest($2::text[], $3::boolean[]) as w (socket_id, away)
            where s.gateway = $1 and s.socket_id = w.socket_id`,
    values: [gateway, words.map(([socketId]) => socketId), words.map(([, away]) => away)],
  });
}

async function leave(
  client: PoolClient,
  gateway: string,
  left: Report['left'],
  now: Date,
  { afterEnd, afterLoss }: Grace,
): Promise<void> {
  await client.query({
    name: 'session-leave',
    text: `update session s set ended_at = $4, counts_until = l.counts_until
             from unnest($2::text[], $3::timestamptz[]) as l (socket_id, counts_until)
            where s.gateway = $1 and s.socket_id = l.socket_id and s.ended_at is null`,
    values: [
      gateway,
      left.map(({ socketId }) => socketId),
      left.map(({ gatewayStops }) => new Date(now.getTime() + (gatewayStops ? afterLoss : afterEnd))),
      now,
    ],
  });
}

/** Whose sessions a gateway that has now reported everything did not name any more. */
async function usersOfForgotten(
  client: PoolClient,
  gateway: string,
  begunSeq: number,
  joined: Report['joined'],
): Promise<string[]> {
  const { rows } = await client.query<{ userId: string }>({
    name: 'session-forgotten',
    text: `select distinct user_id as "userId" from session
            where gateway = $1 and reported_seq < $2 and ended_at is null and socket_id <> all($3)`,
    values: [gateway, begunSeq, joined.map(({ socketId }) => socketId)],
  });
  return rows.map(({ userId }) => userId);
}

async function endForgotten(
  client: PoolClient,
  gateway: string,
  begunSeq: number,
  now: Date,
  { afterEnd }: Grace,
): Promise<void> {
  await client.query({
    name: 'session-end-forgotten',
    text: `update session set ended_at = $3, counts_until = $4
            where gateway = $1 and reported_seq < $2 and ended_at is null`,
    values: [gateway, begunSeq, now, new Date(now.getTime() + afterEnd)],
  });
}
