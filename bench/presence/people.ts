import { startChild, type Child } from '../child/start-child.ts';
import type { PeopleCommands } from '../load/people-process.ts';
import type { Target } from '../load/web-socket.ts';

type Seen = Awaited<ReturnType<PeopleCommands['state']>>;

/** People in two load processes, half of them in each. */
export interface People {
  /** Resolves to the seconds until the last of `<prefix>0` to `<prefix><count - 1>` has arrived. */
  gather(target: Target, count: number, prefix: string): Promise<number>;
  /** Everybody is cut off at once and comes back. Resolves to the seconds until the last has arrived. */
  cutAndReturn(): Promise<number>;
  /** From now on whoever loses their connection comes back by themselves. */
  stay(): Promise<void>;
  seen(): Promise<Seen>;
  forget(): Promise<void>;
  /** Of how many who were back within that time somebody was told that they had gone; and how many were. */
  falseFarewells(withinSeconds: number): Promise<{ backInTime: number; saidOffline: number }>;
  stop(): Promise<void>;
}

const PROCESSES = 2;
/** How many handshakes are on their way at once, of each process. */
const AT_ONCE = 50;

export async function startPeople(secret: string, tellsState: boolean): Promise<People> {
  const program = new URL('../load/people-process.ts', import.meta.url);
  const children: Child<PeopleCommands>[] = await Promise.all(
    Array.from({ length: PROCESSES }, () => startChild<PeopleCommands>(program)),
  );
  const all = <T>(ask: (child: Child<PeopleCommands>, index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(children.map(ask));
  return {
    async gather(target, count, prefix) {
      const firstOf = (index: number): number => Math.floor((count * index) / PROCESSES);
      const seconds = await all((child, index) => {
        const share = { first: firstOf(index), count: firstOf(index + 1) - firstOf(index) };
        return child.call('gather', { target, secret, prefix, ...share, atOnce: AT_ONCE, tellsState });
      });
      return Math.max(...seconds);
    },
    cutAndReturn: async () =>
      Math.max(...(await all(child => child.call('cutAndReturn', { atOnce: AT_ONCE, tellsState })))),
    stay: async () => void (await all(child => child.call('stay', undefined))),
    async seen() {
      const states = await all(child => child.call('state', undefined));
      const sum = (field: keyof Seen): number => states.reduce((total, state) => total + state[field], 0);
      return {
        connected: sum('connected'),
        states: sum('states'),
        presences: sum('presences'),
        online: sum('online'),
        offline: sum('offline'),
      };
    },
    async falseFarewells(withinSeconds) {
      const shares = await all(child => child.call('farewells', undefined));
      const inTime = shares
        .flatMap(({ awayMs }) => Object.entries(awayMs))
        .filter(([, milliseconds]) => milliseconds < withinSeconds * 1_000)
        .map(([userId]) => userId);
      const saidOffline = new Set(shares.flatMap(share => share.saidOffline));
      return { backInTime: inTime.length, saidOffline: inTime.filter(userId => saidOffline.has(userId)).length };
    },
    forget: async () => void (await all(child => child.call('forget', undefined))),
    stop: async () => void (await all(child => child.stop())),
  };
}
