/** The processes of the product, by the name under which they run, log and connect to NATS. */
export const PROCESSES = [
  'gateway',
  'messaging-service',
  'presence-service',
  'notification-service',
  'appointment-service',
] as const;
export type ProcessName = (typeof PROCESSES)[number];

/** The processes that answer requests and own a database. */
export const SERVICES = [
  'messaging-service',
  'presence-service',
  'notification-service',
  'appointment-service',
] as const satisfies readonly ProcessName[];
export type ServiceName = (typeof SERVICES)[number];

/**
 * Everybody who connects to NATS: the processes, the step that makes streams and consumers, the
 * platform's back office, operations, and (in the local stack only) a developer who may watch all.
 */
export const BUS_USERS = [...PROCESSES, 'provisioner', 'back-office', 'ops', 'developer'] as const;
export type BusUser = (typeof BUS_USERS)[number];

/**
 * Replies to a user's requests arrive below this prefix, and nobody else may listen there: a shared
 * `_INBOX.>` would let everybody read everybody's replies. `developer` keeps the default of the `nats`
 * command-line tool.
 */
export function inboxPrefix(user: BusUser): string {
  return user === 'developer' ? '_INBOX' : `_INBOX_${user}`;
}
