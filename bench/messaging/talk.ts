import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../child/start-child.ts';
import type { TalkCommands, Talked } from '../load/talk-process.ts';
import { cpuSeconds, familyCpuSeconds } from '../measure/process-usage.ts';
import type { Ground, Server } from './servers.ts';

export interface TalkOptions {
  readonly pairs: number;
  readonly inFlight: number;
  readonly size: number;
  readonly processes: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** What was seen of a server under load. */
export interface Seen extends Omit<Talked, 'seconds' | 'acked' | 'delivered' | 'receipts'> {
  readonly ackedPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly receiptsPerSecond: number;
  /** Microseconds of CPU for each acknowledged message, by process. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** Has the pairs talk as fast as they are answered, and counts when everything has warmed up. */
export async function talk(
  ground: Ground,
  server: Server,
  { pairs, inFlight, size, processes, seconds, warmUpSeconds }: TalkOptions,
  { receipts = false }: { receipts?: boolean } = {},
): Promise<Seen> {
  const program = new URL('../load/talk-process.ts', import.meta.url);
  const children = await Promise.all(Array.from({ length: processes }, () => startChild<TalkCommands>(program)));
  const each = <Result>(command: (child: (typeof children)[number], index: number) => Promise<Result>) =>
    Promise.all(children.map(command));
  try {
    const firstOf = (index: number): number => Math.floor((pairs * index) / processes);
    await each((child, index) => {
      const first = firstOf(index);
      const { targets } = server;
      return child.call('connect', { targets, secret: ground.jwtSecret, first, pairs: firstOf(index + 1) - first });
    });
    await each(child => child.call('talk', { inFlight, contentCharacters: size, receipts }));
    await sleep(warmUpSeconds * 1_000);
    await each(child => child.call('mark', undefined));
    const before = usage(ground, server, children);
    await sleep(seconds * 1_000);
    const counts = await each(child => child.call('count', undefined));
    const after = usage(ground, server, children);
    await each(child => child.call('hush', undefined));
    return summarise(counts, before, after);
  } finally {
    await each(child => child.stop());
  }
}

function summarise(
  counts: readonly Talked[],
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Seen {
  const sum = (field: 'acked' | 'delivered' | 'receipts'): number =>
    counts.reduce((total, count) => total + count[field], 0);
  const seconds = Math.max(...counts.map(count => count.seconds));
  const acked = sum('acked');
  const failures: Record<string, number> = {};
  for (const [code, count] of counts.flatMap(each => Object.entries(each.failures))) {
    failures[code] = (failures[code] ?? 0) + count;
  }
  const used = Object.entries(after).map(([name, value]) => [name, ((value - (before[name] ?? 0)) / acked) * 1e6]);
  return {
    ackedPerSecond: acked / seconds,
    deliveredPerSecond: sum('delivered') / seconds,
    receiptsPerSecond: sum('receipts') / seconds,
    // Of several processes the slowest: a percentile of percentiles has no meaning.
    p50: Math.max(...counts.map(({ p50 }) => p50)),
    p99: Math.max(...counts.map(({ p99 }) => p99)),
    failures,
    cpu: Object.fromEntries(used),
  };
}

function usage(ground: Ground, server: Server, load: readonly { pid: number }[]): Record<string, number> {
  const named = Object.entries(server.pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  return {
    ...Object.fromEntries(named),
    postgresql: familyCpuSeconds(ground.postgres.process.pid ?? 0),
    load: load.reduce((total, { pid }) => total + cpuSeconds(pid), 0),
  };
}
