import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { startChild } from '../child/start-child.ts';
import type { Findings } from '../measure/comparison.ts';
import { percentile } from '../measure/statistics.ts';
import { backOfficeOf, createUntilAnswered } from './back-office.ts';
import type { ListenersCommands } from './listeners-process.ts';
import type { Ground } from './ground.ts';
import type { Options } from './options.ts';

// Creations at a steady rate for users with a socket each; in the middle the service is killed. Afterwards every
// creation must be in the database once and must have reached its socket, and every count must be the database's.

const TICK_MS = 20;
/** The sweeper tells what a crash kept back within about six seconds. */
const SETTLE_TIMEOUT_MS = 30_000;

export async function measureCreations(ground: Ground, options: Options): Promise<Findings> {
  const stack = await ground.start('creations');
  const bus = await backOfficeOf(stack);
  ground.atEnd(() => bus.connection.close());
  const pool = new Pool({ connectionString: stack.databases['notification-service'], max: 2 });
  ground.atEnd(() => pool.end());
  const users = Array.from({ length: options.users }, (_, index) => `user-${index}`);
  const listeners = await startChild<ListenersCommands>(new URL('listeners-process.ts', import.meta.url));
  ground.atEnd(() => listeners.stop());
  const { hostname: host, port } = new URL(stack.gateways[0] ?? '');
  await listeners.call('listen', { target: { host, port: Number(port) }, secret: stack.jwtSecret, users });

  const total = options.perSecond * options.seconds;
  const ids: string[] = [];
  const waits: number[] = [];
  const creations: Promise<void>[] = [];
  const create = async (index: number): Promise<void> => {
    const began = performance.now();
    ids.push(await createUntilAnswered(bus, users[index % users.length] ?? '', `key-${index}`));
    waits.push(performance.now() - began);
  };
  const start = performance.now();
  let killed = false;
  while (creations.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * options.perSecond));
    while (creations.length < due) creations.push(create(creations.length));
    if (!killed && creations.length > total / 2) {
      killed = true;
      stack.programs.get('notification-service')?.kill('SIGKILL');
    }
    await sleep(TICK_MS);
  }
  await Promise.all(creations);
  const seconds = (performance.now() - start) / 1_000;

  const { rows } = await pool.query<{ userId: string; ids: string[] }>(
    `select user_id as "userId", array_agg(id::text) as ids from notification where source = 'bench' group by user_id`,
  );
  const stored = new Map(rows.map(row => [row.userId, new Set(row.ids)]));
  const count = rows.reduce((sum, row) => sum + row.ids.length, 0);
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  let states = await listeners.call('state', undefined);
  const missing = (): number =>
    states.reduce((sum, { userId, ids: heard }) => {
      const own = stored.get(userId);
      return sum + (own?.size ?? 0) - heard.filter(id => own?.has(id)).length;
    }, 0);
  while (missing() > 0 && performance.now() < deadline) {
    await sleep(TICK_MS * 10);
    states = await listeners.call('state', undefined);
  }
  const wrong = states.filter(({ userId, unreadCount }) => unreadCount !== (stored.get(userId)?.size ?? 0)).length;
  const wrongLast = states.filter(({ userId, last }) => last !== (stored.get(userId)?.size ?? 0)).length;
  const repeats = states.reduce((sum, state) => sum + state.repeats, 0);
  return {
    comparisons: [],
    observations: [
      { what: 'creations answered', seen: `${ids.length} in ${seconds.toFixed(1)} s`, holds: ids.length === total },
      {
        what: 'in the database, once each',
        seen: `${count}, ${new Set(ids).size} ids`,
        holds: count === total && new Set(ids).size === total,
      },
      { what: 'not told to its socket', seen: `${missing()}`, holds: missing() === 0 },
      { what: 'told again after the kill, under the same id', seen: `${repeats}`, holds: true },
      { what: 'users whose unread count is not that of the database', seen: `${wrong}`, holds: wrong === 0 },
      { what: 'the same, by the last that they heard', seen: `${wrongLast}`, holds: wrongLast === 0 },
      {
        what: 'wait for an answer, p50 and p99, in ms',
        seen: `${percentile(waits, 0.5).toFixed(0)}, ${percentile(waits, 0.99).toFixed(0)}`,
        holds: true,
      },
    ],
  };
}
