import { listen, type Bus, type Delivery, type Listening } from '@rapport/bus';
import type { Recipient } from '@rapport/contracts';

/** Room of a recipient: `user:<id>`, `therapist:<id>`. */
export function roomOf(recipient: Exclude<Recipient, 'all'>): string {
  return 'user' in recipient ? `user:${recipient.user}` : `therapist:${recipient.therapist}`;
}

export interface Subscriptions {
  /**
   * Listens for the recipient until `release` has been called as often as `acquire`. Resolves when the
   * NATS server has the subscription, so that nothing delivered from then on is missed.
   */
  acquire(recipient: Exclude<Recipient, 'all'>): Promise<void>;
  release(recipient: Exclude<Recipient, 'all'>): void;
  /** How many recipients are listened for. */
  readonly size: number;
}

/** One NATS subscription per recipient that has a socket here, however many sockets, and none for the rest. */
export function createSubscriptions(bus: Bus, relay: (room: string, delivery: Delivery) => void): Subscriptions {
  const held = new Map<string, { listening: Listening; holders: number }>();
  return {
    get size() {
      return held.size;
    },
    async acquire(recipient) {
      const room = roomOf(recipient);
      const known = held.get(room);
      const entry = known ?? { listening: listen(bus, recipient, delivery => relay(room, delivery)), holders: 0 };
      entry.holders += 1;
      held.set(room, entry);
      await entry.listening.established;
    },
    release(recipient) {
      const room = roomOf(recipient);
      const entry = held.get(room);
      if (!entry) return;
      entry.holders -= 1;
      if (entry.holders > 0) return;
      held.delete(room);
      entry.listening.stop();
    },
  };
}
