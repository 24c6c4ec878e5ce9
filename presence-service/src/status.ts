import type { ChosenStatus, Status } from '@rapport/contracts';

/** One session of a person. Times are milliseconds since 1970. */
export interface Device {
  readonly away: boolean;
  /** When the session ended; `undefined` while it lives. */
  readonly endedAt: number | undefined;
  /** Until when an ended one still counts: its person may be on the way back. */
  readonly countsUntil: number | undefined;
}

export interface Person {
  readonly devices: readonly Device[];
  /** Does not want to be disturbed, on whatever device. */
  readonly dnd: boolean;
  /** What others are shown at the moment. */
  readonly shown: Status;
  /** Whether every live gateway has reported its sessions. Otherwise a device that is not there may be there. */
  readonly allReported: boolean;
}

const RANK = { offline: 0, away: 1, online: 2 } as const;

/**
 * What others are shown of a person.
 *
 * - Nobody is there without a session that lives, or ended so little ago that it still counts.
 * - `dnd` is the person's: set on any device it holds for all of them, disconnects included, until a device sets
 *   `online` or `away`.
 * - `away` is the device's: the person is away when every device that counts is. A new session is not away.
 * - While some gateway has not reported, nobody is shown less present than they were.
 */
export function statusOf({ devices, dnd, shown, allReported }: Person, now: number): Status {
  const counting = devices.filter(({ countsUntil }) => countsUntil === undefined || countsUntil > now);
  const presence = counting.length === 0 ? 'offline' : counting.every(({ away }) => away) ? 'away' : 'online';
  // Behind `dnd` any device will do.
  const before = shown === 'dnd' ? 'online' : shown;
  const held = !allReported && RANK[before] > RANK[presence] ? before : presence;
  return held !== 'offline' && dnd ? 'dnd' : held;
}

/** When somebody was last seen whose sessions have all ended; `undefined` when no session is known. */
export function lastSeen(devices: readonly Device[]): number | undefined {
  const ends = devices.flatMap(({ endedAt }) => endedAt ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** What a device asks for: its own `away`, and the person's `dnd`. */
export function choose(status: ChosenStatus): { away: boolean; dnd: boolean } {
  return { away: status === 'away', dnd: status === 'dnd' };
}
