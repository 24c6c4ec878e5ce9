import type { Channel, Preferences } from '@rapport/contracts';
import { wants } from './choices.ts';
import { quietUntil } from './quiet-hours.ts';
import { hasSession, UNKNOWN_WAIT_MS, type KnownStatus } from './presence.ts';

/** What has to be known, at the moment of sending, to decide about a delivery. */
export interface DeliveryCase {
  readonly channel: Exclude<Channel, 'inApp'>;
  readonly type: string;
  readonly critical: boolean;
  /** When the notification was made or last grew. */
  readonly touchedAt: Date;
  /** Read, archived or expired. */
  readonly over: boolean;
  readonly preferences: Preferences;
  /** Of the profile. */
  readonly timeZone: string | undefined;
  readonly status: KnownStatus | undefined;
}

export type Decision = { readonly do: 'send' | 'cancel' } | { readonly do: 'wait'; readonly until: Date };

/** Who does not want to be disturbed is asked again this often. */
const DO_NOT_DISTURB_MS = 60_000;

/**
 * Decides whether a delivery goes out now, later or not at all. Quiet hours and do-not-disturb put it off and never
 * drop it; a critical one waits for neither. An e-mail disturbs nobody in a session, so `dnd` is about pushes.
 */
export function decideDelivery(now: Date, delivery: DeliveryCase, escalateAfterMs: number): Decision {
  const { channel, type, critical, touchedAt, over, preferences, timeZone, status } = delivery;
  if (over || !wants(preferences, type, channel)) return { do: 'cancel' };
  const escalateAt = new Date(touchedAt.getTime() + escalateAfterMs);
  // They may be reading it at this moment.
  if (hasSession(status) && now < escalateAt) return { do: 'wait', until: escalateAt };
  const knownAt = new Date(touchedAt.getTime() + UNKNOWN_WAIT_MS);
  if (status === 'unknown' && now < knownAt) return { do: 'wait', until: knownAt };
  if (critical) return { do: 'send' };
  const { quietHours } = preferences;
  const quiet = quietHours && quietUntil(now, quietHours, quietHours.timeZone ?? timeZone ?? 'UTC');
  if (quiet) return { do: 'wait', until: quiet };
  if (channel === 'webPush' && status === 'dnd') {
    return { do: 'wait', until: new Date(now.getTime() + DO_NOT_DISTURB_MS) };
  }
  return { do: 'send' };
}
