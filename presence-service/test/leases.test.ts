import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Nats, Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { poolOf, runningNats, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import {
  GRACE,
  joined,
  later,
  left,
  listenToNews,
  newGateway,
  presenceDatabase,
  startReplica,
  type Replica,
  type Told,
} from './kit.ts';

let nats: Nats;
let postgres: Postgres;
let pool: Pool;
let url: string;
let one: Replica;
let other: Replica;
let news: { told: Told; settled: () => Promise<void> };

beforeAll(async () => {
  [nats, postgres] = await Promise.all([runningNats(), runningPostgres()]);
  news = await listenToNews(nats);
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await presenceDatabase(postgres));
  [one, other] = await Promise.all([startReplica(nats, pool), startReplica(nats, pool)]);
  news.told.length = 0;
});

/** After which the sweeper announces what is left. */
const UNTOLD_AFTER_MS = 5_000;
const ALL = { begin: true, end: true };
/** Just before what happened after `from` is due. */
const before = (from: number, milliseconds: number): Date => new Date(from + milliseconds - 100);
const AFTER_GRACE = GRACE.afterEnd / 1_000 + 1;
const AFTER_LEASE = GRACE.afterLoss / 1_000 + 1;

async function told(): Promise<Told> {
  await news.settled();
  return [...news.told];
}

/** PostgreSQL crashed: what is not logged is gone. */
const loseSessions = () => pool.query('truncate session, session_store');

describe('a report', () => {
  test('is applied once, by whichever replica, and in its turn', async () => {
    const gateway = newGateway();
    expect(await one.report(gateway, 1, ALL)).toBe(true);
    const report = { joined: [joined('s1', 'ann')] };
    const repeats = await Promise.all([one.report(gateway, 2, report), other.report(gateway, 2, report)]);
    expect(repeats).toEqual([true, true]);
    expect(await one.report(gateway, 3, { left: [left('s1', 'ann')] })).toBe(true);
    // One that was held up somewhere brings nobody back.
    expect(await other.report(gateway, 2, report)).toBe(true);
    await one.sweep(later(AFTER_GRACE));
    expect(await told()).toEqual([
      ['ann', 'online'],
      ['ann', 'offline'],
    ]);
  });

  test('of a gateway that is not known, or after one that is missing, is not applied', async () => {
    const gateway = newGateway();
    expect(await one.report(gateway, 1, { joined: [joined('s1', 'ann')] })).toBe(false);
    expect(await one.report(gateway, 2, ALL)).toBe(true);
    expect(await one.report(gateway, 4, { joined: [joined('s1', 'ann')] })).toBe(false);
    expect(await told()).toEqual([]);
  });

  test('of everything ends what it does not name any more, in pages too', async () => {
    const gateway = newGateway();
    await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann'), joined('s2', 'ben'), joined('s3', 'cleo')] });
    await one.report(gateway, 2, { begin: true, joined: [joined('s1', 'ann')] });
    await other.report(gateway, 3, { joined: [joined('s4', 'ben')] });
    await one.sweep(later(AFTER_GRACE));
    await one.report(gateway, 4, { end: true, joined: [] });
    await one.sweep(later(AFTER_GRACE));
    expect((await told()).slice(3)).toEqual([['cleo', 'offline']]);
  });

  test('of hundreds who come and go at two gateways at once leaves no lock behind, and nothing said twice', async () => {
    const gateways = [newGateway(), newGateway()];
    await Promise.all(gateways.map((gateway, index) => [one, other][index]!.report(gateway, 1, ALL)));
    const users = Array.from({ length: 200 }, (_, index) => `u${index}`);
    for (let seq = 2; seq < 12; seq += 2) {
      const names = seq % 4 ? users : users.toReversed();
      await Promise.all(
        gateways.map(async (gateway, index) => {
          const replica = [one, other][(index + seq / 2) % 2]!;
          await replica.report(gateway, seq, { joined: names.map(user => joined(`${user}-${seq}`, user)) });
          await replica.report(gateway, seq + 1, { left: names.map(user => left(`${user}-${seq}`, user)) });
        }),
      );
    }
    await Promise.all([one.sweep(later(AFTER_GRACE)), other.sweep(later(AFTER_GRACE))]);
    await one.sweep(later(AFTER_GRACE));
    const stories = Map.groupBy(await told(), ([user]) => user);
    expect(users.map(user => stories.get(user)?.map(([, what]) => what))).toEqual(
      users.map(() => ['online', 'offline']),
    );
  });
});

describe('time', () => {
  test('ends a grace, and not before', async () => {
    const gateway = newGateway();
    await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann')] });
    const from = Date.now();
    await one.report(gateway, 2, { left: [left('s1', 'ann')] });
    await one.sweep(before(from, GRACE.afterEnd));
    expect(await told()).toEqual([['ann', 'online']]);
    await Promise.all([one.sweep(later(AFTER_GRACE)), other.sweep(later(AFTER_GRACE))]);
    expect(await told()).toEqual([
      ['ann', 'online'],
      ['ann', 'offline'],
    ]);
  });

  test('gives those of a gateway that stops as long as those of one that is lost', async () => {
    const gateway = newGateway();
    await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann')] });
    await one.report(gateway, 2, { left: [left('s1', 'ann', true)] });
    await one.sweep(later(AFTER_GRACE));
    expect(await told()).toEqual([['ann', 'online']]);
    await one.sweep(later(AFTER_LEASE));
    expect((await told()).at(-1)).toEqual(['ann', 'offline']);
  });

  test('gives up a silent gateway, whose people were last seen when it was', async () => {
    const gateway = newGateway();
    await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann')] });
    const from = Date.now();
    await Promise.all([one.sweep(later(AFTER_LEASE)), other.sweep(later(AFTER_LEASE))]);
    expect(await told()).toEqual([
      ['ann', 'online'],
      ['ann', 'offline'],
    ]);
    const { rows } = await pool.query<{ lastSeen: Date }>('select last_seen_at as "lastSeen" from presence');
    expect(Math.abs(rows[0]!.lastSeen.getTime() - from)).toBeLessThan(GRACE.afterLoss / 2);
    expect(await one.report(gateway, 2)).toBe(false);
    expect((await pool.query('select from gateway_lease')).rowCount).toBe(0);
  });

  test('gives up nobody whom this replica could not have heard', async () => {
    const gateway = newGateway();
    await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann')] });
    await one.sweep(later(AFTER_LEASE), later(AFTER_LEASE - 5));
    expect(await told()).toEqual([['ann', 'online']]);
    expect(await other.report(gateway, 2)).toBe(true);
  });
});

test('a gateway that begins to report while many graces end is waited for with the rest of them, and not for ever', async () => {
  const gateway = newGateway();
  const users = Array.from({ length: 1_200 }, (_, index) => `u${index}`);
  await one.report(gateway, 1, { ...ALL, joined: users.slice(0, 600).map(user => joined(`${user}-s`, user)) });
  await one.report(gateway, 2, { joined: users.slice(600).map(user => joined(`${user}-s`, user)) });
  await one.report(gateway, 3, { left: users.slice(0, 600).map(user => left(`${user}-s`, user)) });
  await one.report(gateway, 4, { left: users.slice(600).map(user => left(`${user}-s`, user)) });
  // One connection: what is asked for first comes first.
  const single = poolOf(url, 1);
  let begun: Promise<boolean> | undefined;
  const sweeping = await startReplica(nats, single, event => {
    if (event === 'user:offline') begun ??= reporter.report(newGateway(), 1, { begin: true });
  });
  const reporter = await startReplica(nats, single);
  await sweeping.sweep(later(AFTER_GRACE));
  expect(await begun).toBe(true);
  expect((await told()).filter(([, what]) => what === 'offline')).toHaveLength(500);
});

describe('after a loss of the sessions', () => {
  test('nobody is offline before every live gateway has reported again, and then who is gone is', async () => {
    const [first, second] = [newGateway(), newGateway()];
    await one.report(first, 1, { ...ALL, joined: [joined('s1', 'ann'), joined('s2', 'ben')] });
    await other.report(second, 1, { ...ALL, joined: [joined('s3', 'cleo')] });
    await loseSessions();
    await one.sweep(later(1));
    expect(await one.report(first, 2)).toBe(false);
    await one.report(first, 3, { ...ALL, joined: [joined('s1', 'ann')] });
    await one.sweep(later(AFTER_GRACE));
    expect((await told()).map(([, what]) => what)).toEqual(['online', 'online', 'online']);
    await other.report(second, 3, { ...ALL, joined: [joined('s3', 'cleo')] });
    await other.sweep(later(AFTER_GRACE));
    expect((await told()).slice(3)).toEqual([['ben', 'offline']]);
  });

  test('a gateway that never comes back is not waited for longer than its lease', async () => {
    const [first, dead] = [newGateway(), newGateway()];
    await one.report(first, 1, { ...ALL, joined: [joined('s1', 'ann')] });
    await one.report(dead, 1, { ...ALL, joined: [joined('s2', 'ben')] });
    await loseSessions();
    await one.sweep(later(1));
    await one.report(first, 2, { ...ALL, joined: [joined('s1', 'ann')] });
    await pool.query('update gateway_lease set seen_at = $2 where gateway = $1', [first, later(AFTER_LEASE)]);
    await one.sweep(later(AFTER_LEASE));
    expect((await told()).slice(2)).toEqual([['ben', 'offline']]);
  });

  test('what nobody is shown less present is no reason to hold back who comes', async () => {
    const [first, second] = [newGateway(), newGateway()];
    await one.report(first, 1, ALL);
    await one.report(second, 1, ALL);
    await loseSessions();
    await one.sweep(later(1));
    await one.report(second, 2, { ...ALL, joined: [joined('s1', 'ann')] });
    expect(await told()).toEqual([['ann', 'online']]);
  });
});

test('what was committed and not announced is announced by another replica, once', async () => {
  const gateway = newGateway();
  const from = Date.now();
  await one.report(gateway, 1, { ...ALL, joined: [joined('s1', 'ann')] });
  await pool.query('update presence set untold = true');
  const early = before(from, UNTOLD_AFTER_MS);
  await Promise.all([one.sweep(early), other.sweep(early)]);
  expect(await told()).toHaveLength(1);
  await one.report(gateway, 2);
  await Promise.all([one.sweep(later(6)), other.sweep(later(6))]);
  expect(await told()).toEqual([
    ['ann', 'online'],
    ['ann', 'online'],
  ]);
});
