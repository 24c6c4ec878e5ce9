import type { Preferences } from '@rapport/contracts';
import type { Pool, PoolClient } from 'pg';
import { preferencesOf, wants, type Chosen } from './choices.ts';
import { NO_TARGET, type AwayChannel } from './delivery.ts';
import type { Reader } from './notification.ts';
import { hasSession, type AskPresence } from './presence.ts';

/** What has to be known of a user to notify them. */
export interface Recipient {
  readonly preferences: Preferences;
  readonly reader: Reader;
  /** Where they can be reached while they are away. */
  readonly places: readonly Place[];
  /** Whether they have a session, as far as was asked. */
  readonly present: boolean;
}

export interface Place {
  readonly channel: AwayChannel;
  readonly target: string;
}

export type FindRecipients = (
  database: Pool | PoolClient,
  userIds: readonly string[],
) => Promise<ReadonlyMap<string, Recipient>>;

/** @param channels those that are on */
export function createFindRecipients(options: {
  askPresence: AskPresence;
  channels: ReadonlySet<AwayChannel>;
}): FindRecipients {
  const { askPresence, channels } = options;
  return async (database, userIds) => {
    const { rows } = await database.query<{
      userId: string;
      chosen: Chosen | null;
      locale: string | null;
      timeZone: string | null;
      hasEmail: boolean | null;
      browsers: string[];
    }>({
      name: 'recipients',
      text: `select u.id as "userId", c.chosen, p.locale, p.time_zone as "timeZone", p.has_email as "hasEmail",
                    array(select s.id::text from push_subscription s where s.user_id = u.id) as browsers
               from unnest($1::text[]) as u (id)
               left join preference c on c.user_id = u.id
               left join profile p on p.user_id = u.id`,
      values: [userIds],
    });
    const reachable = rows.filter(({ hasEmail, browsers }) => hasEmail || browsers.length > 0);
    const presence = reachable.length > 0 ? await askPresence(reachable.map(({ userId }) => userId)) : new Map();
    return new Map(
      rows.map(({ userId, chosen, locale, timeZone, hasEmail, browsers }) => {
        const places: Place[] = [
          ...(channels.has('email') && hasEmail ? [{ channel: 'email', target: NO_TARGET } as const] : []),
          ...(channels.has('webPush') ? browsers.map(target => ({ channel: 'webPush', target }) as const) : []),
        ];
        const present = hasSession(presence.get(userId));
        return [userId, { preferences: preferencesOf(chosen), reader: { locale, timeZone }, places, present }];
      }),
    );
  };
}

/** The places that a notification of this type goes to, and when at the earliest. */
export function placesFor(
  { places, preferences, present }: Recipient,
  type: string,
  now: Date,
  escalateAfterMs: number,
): { place: Place; at: Date }[] {
  const at = new Date(now.getTime() + (present ? escalateAfterMs : 0));
  return places.filter(({ channel }) => wants(preferences, type, channel)).map(place => ({ place, at }));
}
