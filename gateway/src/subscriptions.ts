import { listen, type Bus, type Delivery, type Listening } from '@rapport/bus';
import type { Recipient } from '@rapport/contracts';

/** Room of a recipient: `user:<id>`, `therapist:<id>`. */
export function roomOf(recipient: Exclude<Recipient, 'all'>): string {
  return 'user' in recipient ? `user:${recipient.user}` : `therapist:${recipient.therapist}`;
}

/** Whether it is a room and not a socket, whose id has no colon. */
export function isRoom(name: string): boolean {
  return name.includes(':');
}

export interface Subscriptions {
  /**
   * Listens for the recipient until `release` has been called as often as `acquire`, and a while longer.
   * Resolves when the NATS server has the subscription, so that nothing delivered from then on is missed.
   */
  acquire(recipient: Exclude<Recipient, 'all'>): Promise<void>;
  release(recipient: Exclude<Recipient, 'all'>): void;
  /** Stops listening for anybody. */
  close(): void;
  /** How many recipients are listened for. */
  readonly size: number;
}

interface Held {
  listening: Listening;
  holders: number;
  linger?: NodeJS.Timeout;
}

/** A client that lost its connection for a moment finds its subscription still there: no work for anybody. */
const LINGER_MS = 5_000;

/**
 * One NATS subscription per recipient that has a socket here, however many sockets, and none for the rest; and one
 * for what is delivered to everybody.
 * @param relay the room is `undefined` for everybody
 * @param dropped called when a room is not listened for any more
 */
export function createSubscriptions(
  bus: Bus,
  relay: (room: string | undefined, delivery: Delivery) => void,
  dropped: (room: string) => void,
): Subscriptions {
  const held = new Map<string, Held>();
  const everybody = listen(bus, 'all', delivery => relay(undefined, delivery));

  const drop = (room: string, entry: Held): void => {
    clearTimeout(entry.linger);
    held.delete(room);
    entry.listening.stop();
    dropped(room);
  };

  return {
    get size() {
      return held.size;
    },
    async acquire(recipient) {
      const room = roomOf(recipient);
      const entry = held.get(room) ?? {
        listening: listen(bus, recipient, delivery => relay(room, delivery)),
        holders: 0,
      };
      clearTimeout(entry.linger);
      entry.holders += 1;
      held.set(room, entry);
      await entry.listening.established();
    },
    release(recipient) {
      const room = roomOf(recipient);
      const entry = held.get(room);
      if (!entry) return;
      entry.holders -= 1;
      if (entry.holders === 0) entry.linger = setTimeout(() => drop(room, entry), LINGER_MS);
    },
    close() {
      everybody.stop();
      for (const [room, entry] of held) drop(room, entry);
    },
  };
}
