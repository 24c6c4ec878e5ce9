import { deliver, type Bus } from '@rapport/bus';
import type { FactData } from '@rapport/contracts';
import type { Outbox, OutboxFact } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { inboxStates, type InboxState } from './inbox.ts';
import type { NotificationRow, Reader, ShowNotification } from './notification.ts';

/** A committed change of an inbox, with what its user's sockets are told. */
export type News =
  | {
      readonly fact: OutboxFact<'notification.created'>;
      readonly row: NotificationRow;
      readonly reader: Reader;
      readonly state: InboxState;
    }
  | { readonly fact: OutboxFact<'notification.changed'>; readonly state: InboxState };

/** Tells the users' sockets and publishes the facts, in the given order. Called after the commit. */
export type TellNews = (news: readonly News[]) => void;

export function createTellNews(options: {
  bus: Bus;
  pool: Pool;
  outbox: Outbox;
  log: Logger;
  show: ShowNotification;
}): TellNews {
  const { bus, pool, outbox, log, show } = options;

  /** The version that a user's sockets were last told by this process, while it is being checked. */
  const lastTold = new Map<string, number>();

  /**
   * Replicas commit one after the other, but what they tell may cross on its way. Whoever finds afterwards that an
   * inbox has changed again says how it stands now: the last that a socket hears is right.
   */
  const sayAgainIfOvertaken = async (told: ReadonlyMap<string, number>): Promise<void> => {
    const states = await inboxStates(pool, [...told.keys()]);
    const overtaken = [...states].filter(([userId, { version }]) => version > (lastTold.get(userId) ?? 0));
    for (const [user, state] of overtaken) deliver(bus, { user }, 'notification:updated', state);
    const again = new Map(overtaken.map(([userId, { version }]) => [userId, version]));
    for (const [userId, version] of told) {
      if (!again.has(userId) && lastTold.get(userId) === version) lastTold.delete(userId);
    }
    if (again.size > 0) await check(again);
  };

  const check = (told: ReadonlyMap<string, number>): Promise<void> => {
    for (const [userId, version] of told) lastTold.set(userId, Math.max(version, lastTold.get(userId) ?? 0));
    return sayAgainIfOvertaken(told);
  };

  return news => {
    const told = new Map<string, number>();
    for (const each of news) {
      const { fact, state } = each;
      const user = fact.data.userId;
      if ('row' in each) {
        if (!each.row.hidden) {
          deliver(bus, { user }, 'notification:new', { ...show(each.row, each.reader), ...state });
        }
      } else {
        deliver(bus, { user }, 'notification:updated', { ...state, ...idsOf(each.fact.data) });
      }
      told.set(user, Math.max(state.version, told.get(user) ?? 0));
      outbox.publish(fact);
    }
    if (told.size === 0) return;
    check(told).catch((error: unknown) =>
      log.warn({ err: error }, 'whether an unread count was overtaken could not be asked'),
    );
  };
}

function idsOf({ readIds, archivedIds, allRead }: FactData<'notification.changed'>) {
  return { ...(readIds && { readIds }), ...(archivedIds && { archivedIds }), ...(allRead && { allRead }) };
}
