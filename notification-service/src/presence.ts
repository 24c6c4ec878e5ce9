/** Of a user who is not `offline` some session lives. */
export type Status = 'online' | 'away' | 'dnd' | 'offline';

/**
 * Asks how present users are. Whoever is not in the answer counts as offline, and so does everybody when presence
 * cannot be asked: one notice too many is better than one that nobody gets.
 */
export type AskPresence = (userIds: readonly string[]) => Promise<ReadonlyMap<string, Status>>;

export function hasSession(status: Status | undefined): boolean {
  return status !== undefined && status !== 'offline';
}
