import type { Recipient } from '@rapport/contracts';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import type { Identity } from './authenticate.ts';
import type { Unread } from './unread-counts.ts';

/** What the gateway knows of a socket. */
interface SocketData {
  identity: Identity;
  /** For `session:ready`, until it is sent. */
  unread: Unread | undefined;
  /** Requests of this socket that are under way. */
  pending: number;
  /** Being sent away: what it still asks for is refused. */
  leaving: boolean;
  /** What its user chose for this device. */
  away: boolean;
  /** Stops listening for its recipients. */
  leaveRooms: () => void;
}

export type GatewaySocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;
export type GatewayServer = Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** Whose deliveries a socket gets: the user's, and in the role of a therapist those of the therapist's room. */
export function recipientsOf({ actor }: Identity): Exclude<Recipient, 'all'>[] {
  return [{ user: actor.userId }, ...(actor.therapistId === undefined ? [] : [{ therapist: actor.therapistId }])];
}
