import { setTimeout as sleep } from 'node:timers/promises';
import { requestAsGateway, type Bus } from '@rapport/bus';
import { MAX_COUNTED_USERS, type GatewayActor } from '@rapport/contracts';
import type { Logger } from 'pino';

/** What waits for a user. A count is left out when its service does not answer in time. */
export interface Unread {
  readonly unreadMessages?: number;
  readonly unreadNotifications?: number;
}

export interface UnreadCounts {
  of(userId: string): Promise<Unread>;
}

/** Who connects does not wait longer for a service that is slow or gone: the lists say the same a little later. */
const TIMEOUT_MS = 1_000;
const COLLECT_MS = 10;

type Call = 'message.unread-counts' | 'notification.unread-counts';

/** Asks for everybody at once who connected while the question before was under way. */
export function createUnreadCounts(options: { bus: Bus; log: Logger; actor: GatewayActor }): UnreadCounts {
  const messages = createCounter(options, 'message.unread-counts');
  const notifications = createCounter(options, 'notification.unread-counts');
  return {
    async of(userId) {
      const [unreadMessages, unreadNotifications] = await Promise.all([messages(userId), notifications(userId)]);
      return {
        ...(unreadMessages !== undefined && { unreadMessages }),
        ...(unreadNotifications !== undefined && { unreadNotifications }),
      };
    },
  };
}

function createCounter({ bus, log, actor }: { bus: Bus; log: Logger; actor: GatewayActor }, call: Call) {
  const waiting = new Map<string, PromiseWithResolvers<number | undefined>>();
  let isAsking = false;

  const askOnce = async (): Promise<void> => {
    const asked = [...waiting].slice(0, MAX_COUNTED_USERS);
    for (const [userId] of asked) waiting.delete(userId);
    let counts: readonly number[] = [];
    try {
      const input = { userIds: asked.map(([userId]) => userId) };
      const ack = (await requestAsGateway(bus, call, { actor, input }, { timeoutMs: TIMEOUT_MS })).read();
      if (ack.ok) counts = ack.data.counts;
      else log.debug({ call, code: ack.error.code }, 'unread counts were refused');
    } catch (error) {
      log.debug({ call, err: error }, 'unread counts could not be asked for');
    }
    for (const [index, [, { resolve }]] of asked.entries()) resolve(counts[index]);
  };

  const ask = async (): Promise<void> => {
    isAsking = true;
    // Whoever connects in the same turn is asked for with the first.
    await Promise.resolve();
    while (waiting.size > 0) {
      await askOnce();
      // Who connects meanwhile is asked for together: thousands come at one moment, and one waits for nobody.
      await sleep(COLLECT_MS);
    }
    isAsking = false;
  };

  return (userId: string): Promise<number | undefined> => {
    const entry = waiting.get(userId) ?? Promise.withResolvers<number | undefined>();
    waiting.set(userId, entry);
    if (!isAsking) void ask();
    return entry.promise;
  };
}
