import { requestAsService, type Bus } from '@rapport/bus';
import { MAX_PRESENCES, type Status } from '@rapport/contracts';
import type { Logger } from 'pino';

/** Of whom nothing is known because presence does not answer. */
export type KnownStatus = Status | 'unknown';

/**
 * Asks how present users are. When presence cannot be asked, all of them are `unknown`: what is about to be sent then
 * waits a while, and goes out after it. One notice too many is better than one that nobody gets.
 */
export type AskPresence = (userIds: readonly string[]) => Promise<ReadonlyMap<string, KnownStatus>>;

/** How long something waits for presence to answer again, in milliseconds: a restart takes less. */
export const UNKNOWN_WAIT_MS = 30_000;

export function hasSession(status: KnownStatus | undefined): boolean {
  return status !== undefined && status !== 'offline' && status !== 'unknown';
}

export function createAskPresence(bus: Bus, log: Logger): AskPresence {
  const ask = async (userIds: readonly string[]): Promise<[string, KnownStatus][]> => {
    try {
      const body = { actor: { service: bus.as }, input: { userIds: [...userIds] } };
      const ack = (await requestAsService(bus, 'presence.get', body)).read();
      if (ack.ok) return ack.data.presences.map(({ userId, status }) => [userId, status]);
      log.warn({ code: ack.error.code }, 'presence was not told');
    } catch (error) {
      log.debug({ err: error }, 'presence cannot be asked');
    }
    return userIds.map(userId => [userId, 'unknown']);
  };
  return async userIds => {
    const pages = Array.from({ length: Math.ceil(userIds.length / MAX_PRESENCES) }, (_, page) =>
      userIds.slice(page * MAX_PRESENCES, (page + 1) * MAX_PRESENCES),
    );
    return new Map((await Promise.all(pages.map(ask))).flat());
  };
}
