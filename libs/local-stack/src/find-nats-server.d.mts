/** Where the set-up step keeps the programs that it fetched. */
export const FETCHED_PROGRAMS: string;

/**
 * The nats-server program: the one that NATS_SERVER names, else the first on PATH, else the one
 * fetched earlier. `undefined` when there is none.
 * @throws Error when NATS_SERVER names something that cannot be run; the message is one line for a person
 */
export function findNatsServer(env: Record<string, string | undefined>): string | undefined;
