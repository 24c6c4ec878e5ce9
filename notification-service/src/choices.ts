import type { Channel, Preferences, PreferencesChange } from '@rapport/contracts';

/** What holds for a user who has chosen nothing: the one place. */
export const DEFAULT_PREFERENCES: Preferences = {
  channels: { inApp: true, webPush: true, email: true },
  // What both were there for needs no more than a line in the app.
  types: {
    APPOINTMENT_COMPLETED: { webPush: false, email: false },
    APPOINTMENT_MISSED: { webPush: false, email: false },
  },
  quietHours: null,
};

/** What a user chose themself; the rest follows the defaults, those of later releases too. */
export type Chosen = PreferencesChange;

export function preferencesOf(chosen: Chosen | null | undefined): Preferences {
  const { channels } = DEFAULT_PREFERENCES;
  return {
    channels: {
      inApp: chosen?.channels?.inApp ?? channels.inApp,
      webPush: chosen?.channels?.webPush ?? channels.webPush,
      email: chosen?.channels?.email ?? channels.email,
    },
    types: { ...DEFAULT_PREFERENCES.types, ...chosen?.types },
    quietHours: chosen?.quietHours === undefined ? DEFAULT_PREFERENCES.quietHours : chosen.quietHours,
  };
}

/** What is left out stays as it is; a type that is named is replaced. */
export function choose(chosen: Chosen | null | undefined, change: PreferencesChange): Chosen {
  return {
    ...chosen,
    ...change,
    channels: { ...chosen?.channels, ...change.channels },
    types: { ...chosen?.types, ...change.types },
  };
}

export function wants(preferences: Preferences, type: string, channel: Channel): boolean {
  return preferences.types[type]?.[channel] ?? preferences.channels[channel];
}
