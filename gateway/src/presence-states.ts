import { setTimeout as sleep } from 'node:timers/promises';
import { kept, requestAsGateway, type Bus, type Delivery } from '@rapport/bus';
import { MAX_REPORTED, type GatewayActor, type GatewayCallInput, type Presence } from '@rapport/contracts';
import type { Logger } from 'pino';
import type { GatewaySocket } from './gateway-socket.ts';
import { RawJson } from './raw-json.ts';
import { roomOf } from './subscriptions.ts';

export interface PresenceStates {
  /** The socket gets its `presence:state` when its user has been reported, and nothing that follows it before. */
  expect(socket: GatewaySocket): void;
  /**
   * These sockets have been reported: hands the states to them that came with the reply, one for each from the first
   * on, and asks for the others.
   */
  hand(joined: readonly Joined[], states: readonly (readonly Presence[])[]): void;
  /** Keeps a delivery back for the sockets that wait. @returns their ids: it is not for them yet */
  hold(room: string | undefined, delivery: Delivery): string[];
  forget(socket: GatewaySocket): void;
}

type Joined = Pick<GatewayCallInput<'session.report'>['joined'][number], 'socketId' | 'userId'>;

/** A user who waits: the state is the same for all their sockets. */
interface Waiting {
  readonly sockets: Set<GatewaySocket>;
  /** Deliveries since the first of them came: all that the state may be older than. */
  held: Delivery[];
  /** Too much was held: the state that is under way is too old already. */
  overflowed: boolean;
}

/** A state that takes so long that this many others come and go is asked for again. */
const MAX_HELD = 1_000;
const RETRY_MS = 500;

/**
 * Tells each socket once who is there. The state is read after the user is known to be connected, so every later
 * change is delivered; deliveries that overtake the state are held and follow it.
 */
export function createPresenceStates(options: {
  bus: Bus;
  log: Logger;
  actor: GatewayActor;
  stopping: AbortSignal;
}): PresenceStates {
  const { bus, log, actor, stopping } = options;
  const waiting = new Map<string, Waiting>();
  let wanted = new Set<string>();
  let fetching: Promise<void> | undefined;

  const give = (userId: string, entry: Waiting, presences: readonly Presence[]): void => {
    // All who asked may have gone; who came after them waits for a state of their own.
    if (waiting.get(userId) !== entry) return;
    if (entry.overflowed) {
      Object.assign(entry, { held: [], overflowed: false });
      wanted.add(userId);
      return;
    }
    waiting.delete(userId);
    for (const socket of entry.sockets) {
      socket.emit('presence:state', { presences });
      for (const { event, text } of entry.held) socket.emit(event, new RawJson(text));
    }
  };

  /** Those that did not fit into a reply stay wanted. */
  const fetchSome = async (): Promise<void> => {
    const userIds = [...wanted].filter(userId => waiting.has(userId));
    wanted = new Set(userIds);
    const asked = userIds.slice(0, MAX_REPORTED).flatMap(userId => {
      const entry = waiting.get(userId);
      return entry ? [{ userId, entry }] : [];
    });
    if (asked.length === 0) return;
    const input = { userIds: asked.map(({ userId }) => userId) };
    const reply = await requestAsGateway(bus, 'presence.state', { actor, input });
    const ack = reply.read();
    if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
    for (const [index, { userId, entry }] of asked.entries()) {
      const presences = ack.data.states[index];
      if (!presences) break;
      wanted.delete(userId);
      give(userId, entry, presences);
    }
  };

  const fetchAll = async (): Promise<void> => {
    while (wanted.size > 0 && !stopping.aborted) {
      try {
        await fetchSome();
      } catch (error) {
        log.debug({ err: error }, 'presence could not be asked for, trying again');
        await sleep(RETRY_MS, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
  };

  const fetch = (): void => {
    if (wanted.size === 0 || stopping.aborted) return;
    // Who is wanted when it has ended, and before it is known to have, must not wait for the next.
    fetching ??= fetchAll().finally(() => {
      fetching = undefined;
      fetch();
    });
  };

  return {
    expect(socket) {
      const { userId } = socket.data.identity.actor;
      const entry = waiting.get(userId);
      if (entry) entry.sockets.add(socket);
      else waiting.set(userId, { sockets: new Set([socket]), held: [], overflowed: false });
    },
    hand(joined, told) {
      for (const [index, { socketId, userId }] of joined.entries()) {
        const entry = waiting.get(userId);
        // Without that socket it is another entry, younger than the state.
        if (!entry || ![...entry.sockets].some(({ id }) => id === socketId)) continue;
        const presences = told[index];
        if (presences) give(userId, entry, presences);
        else wanted.add(userId);
      }
      fetch();
    },
    hold(room, delivery) {
      if (waiting.size === 0) return [];
      const left: string[] = [];
      for (const [userId, entry] of room === undefined ? waiting : entriesOf(waiting, room)) {
        for (const socket of entry.sockets) left.push(socket.id);
        if (delivery.except === roomOf({ user: userId })) continue;
        if (entry.held.length < MAX_HELD) entry.held.push(kept(delivery));
        else entry.overflowed = true;
      }
      return left;
    },
    forget(socket) {
      const { userId } = socket.data.identity.actor;
      const entry = waiting.get(userId);
      if (entry?.sockets.delete(socket) && entry.sockets.size === 0) waiting.delete(userId);
    },
  };
}

const USER_ROOM = 'user:';

function entriesOf(waiting: ReadonlyMap<string, Waiting>, room: string): [string, Waiting][] {
  const userId = room.startsWith(USER_ROOM) ? room.slice(USER_ROOM.length) : '';
  const entry = waiting.get(userId);
  return entry ? [[userId, entry]] : [];
}
