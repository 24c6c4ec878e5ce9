import { startChild, type Child } from '../child/start-child.ts';
import type { CrowdCommands } from '../load/crowd-process.ts';
import type { Target } from '../load/web-socket.ts';

interface CrowdState {
  readonly connected: number;
  readonly delivered: number;
  readonly lost: number;
}

/** Clients in load processes, half of them in each. */
export interface Crowd {
  /** Connects the users `<prefix>0` to `<prefix><count - 1>`, and resolves to the seconds that it took. */
  gather(target: Target, count: number, prefix: string): Promise<number>;
  state(): Promise<CrowdState>;
  leave(): Promise<void>;
  stop(): Promise<void>;
}

/** How many handshakes are on their way at once, of each process. */
const AT_ONCE = 50;

export async function startCrowd(secret: string, processes = 2): Promise<Crowd> {
  const program = new URL('../load/crowd-process.ts', import.meta.url);
  const starting = Array.from({ length: processes }, () => startChild<CrowdCommands>(program));
  const children: Child<CrowdCommands>[] = await Promise.all(starting);
  return {
    async gather(target, count, prefix) {
      const firstOf = (index: number): number => Math.floor((count * index) / processes);
      const seconds = await Promise.all(
        children.map((child, index) => {
          const first = firstOf(index);
          const share = firstOf(index + 1) - first;
          return child.call('gather', { target, secret, prefix, first, count: share, atOnce: AT_ONCE });
        }),
      );
      return Math.max(...seconds);
    },
    async state() {
      const states = await Promise.all(children.map(child => child.call('state', undefined)));
      const sum = (field: keyof CrowdState): number => states.reduce((total, state) => total + state[field], 0);
      return { connected: sum('connected'), delivered: sum('delivered'), lost: sum('lost') };
    },
    leave: async () => void (await Promise.all(children.map(child => child.call('leave', undefined)))),
    stop: async () => void (await Promise.all(children.map(child => child.stop()))),
  };
}
