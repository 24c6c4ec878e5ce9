import { kept, type Delivery, type Order } from '@rapport/bus';

/**
 * Two replicas of a service commit one after the other, and what the second one publishes may overtake the first on
 * its way here: by the time that a busy process or a collection of garbage takes.
 */
const HOLD_MS = 250;
/** Where nothing is known of the conversation yet, there is most likely nothing to wait for. */
const FIRST_HOLD_MS = 100;
/** After a failure a conversation is known to be incomplete only as long as it is remembered. */
const FORGET_AFTER_MS = 10 * 60_000;
const FORGET_EVERY_MS = 10_000;
/** Held for all together. Above it nothing is worth holding: something is wrong. */
const MOST_HELD = 10_000;

type Relay = (room: string, delivery: Delivery) => void;

/** A conversation as it is relayed to a room. */
interface Line {
  /** The version that the sockets of the room have been led to; none is known before the first delivery. */
  version: number | undefined;
  lastAt: number;
  /** What leads on from a later version, the earliest first. */
  held: Ordered[];
  timer?: NodeJS.Timeout;
}

interface Room {
  readonly name: string;
  readonly lines: Map<string, Line>;
  /** Deliveries of all lines that are held. */
  held: number;
  /** What has no order of its own, and came while something was held: it stays behind that. */
  behind: Delivery[];
}

type Ordered = Delivery & { readonly order: Order };

export interface InOrder {
  /** Relays the delivery in its turn: at once when nothing is missing before it. @param now milliseconds */
  pass(room: string, delivery: Delivery, now: number): void;
  /** Forgets what nothing has come of for a while. May be called often. */
  forget(now: number): void;
  /** Forgets a room that nothing more comes of: what comes once it is listened for again follows nothing. */
  leave(room: string): void;
  /** How many deliveries are held. */
  readonly held: number;
}

/**
 * Relays deliveries in the order of their versions. One that came before its turn waits for those that are missing,
 * though not for long: they may have been lost.
 */
export function createInOrder(relay: Relay): InOrder {
  const rooms = new Map<string, Room>();
  let held = 0;
  let forgotAt = Number.NEGATIVE_INFINITY;

  const relayNow = (room: Room, line: Line, delivery: Ordered): void => {
    line.version = Math.max(line.version ?? 0, delivery.order.to);
    relay(room.name, delivery);
  };

  /** Relays what was held and is due; all of it when nothing is waited for any more. */
  const release = (room: Room, line: Line, all: boolean): void => {
    for (let next = line.held[0]; next && (all || isDue(next, line)); next = line.held[0]) {
      line.held.shift();
      room.held -= 1;
      held -= 1;
      relayNow(room, line, next);
    }
    if (line.held.length === 0) {
      clearTimeout(line.timer);
      delete line.timer;
    }
    if (room.held > 0) return;
    for (const delivery of room.behind.splice(0)) {
      held -= 1;
      relay(room.name, delivery);
    }
  };

  const hold = (room: Room, line: Line, delivery: Ordered): void => {
    const place = line.held.findLastIndex(other => other.order.from <= delivery.order.from);
    line.held.splice(place + 1, 0, kept(delivery));
    room.held += 1;
    held += 1;
    const holdMs = line.version === undefined ? FIRST_HOLD_MS : HOLD_MS;
    line.timer ??= setTimeout(() => release(room, line, true), holdMs);
  };

  const roomOf = (name: string): Room => {
    const room = rooms.get(name) ?? { name, lines: new Map<string, Line>(), held: 0, behind: [] };
    rooms.set(name, room);
    return room;
  };

  return {
    get held() {
      return held;
    },
    pass(name, delivery, now) {
      if (!isOrdered(delivery)) {
        const room = rooms.get(name);
        if (room && room.held > 0 && held < MOST_HELD) {
          room.behind.push(kept(delivery));
          held += 1;
        } else {
          relay(name, delivery);
        }
        return;
      }
      const room = roomOf(name);
      const line = room.lines.get(delivery.order.line) ?? { version: undefined, lastAt: now, held: [] };
      room.lines.set(delivery.order.line, line);
      line.lastAt = now;
      if (isDue(delivery, line) || held >= MOST_HELD) {
        relayNow(room, line, delivery);
        release(room, line, false);
      } else {
        hold(room, line, delivery);
      }
    },
    forget(now) {
      if (now - forgotAt < FORGET_EVERY_MS) return;
      forgotAt = now;
      for (const [name, { lines }] of rooms) {
        for (const [id, line] of lines) {
          if (line.held.length === 0 && now - line.lastAt > FORGET_AFTER_MS) lines.delete(id);
        }
        if (lines.size === 0) rooms.delete(name);
      }
    },
    leave(name) {
      const room = rooms.get(name);
      if (!room) return;
      // Nobody is there any more, but what is held counts until it is relayed.
      for (const line of room.lines.values()) release(room, line, true);
      rooms.delete(name);
    },
  };
}

function isOrdered(delivery: Delivery): delivery is Ordered {
  return delivery.order !== undefined;
}

/** The first of all has nothing before it; what comes late or once more is relayed as it comes. */
function isDue({ order }: Ordered, { version }: Line): boolean {
  return order.from <= (version ?? 0);
}
