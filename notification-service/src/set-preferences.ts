import { LockMode } from '@mikro-orm/core';
import type { UserRequest } from '@rapport/bus';
import type { PreferencesChange, UserOutput } from '@rapport/contracts';
import { inUnitOfWork, type Database } from '@rapport/service/database';
import { choose, preferencesOf, type Chosen } from './choices.ts';
import { PreferenceEntity } from './preference.ts';

interface PreferencesOptions {
  orm: Database['orm'];
  /** Not there while web push is off. */
  vapidPublicKey: string | undefined;
}

type Answer = UserOutput<'notification:preferences'>;

export function createGetPreferences({ orm, vapidPublicKey }: PreferencesOptions) {
  return async ({ actor }: UserRequest<'notification:preferences'>): Promise<Answer> => {
    const row = await orm.em.fork().findOne(PreferenceEntity, { userId: actor.userId });
    return answer(row?.chosen, vapidPublicKey);
  };
}

export function createSetPreferences({ orm, vapidPublicKey }: PreferencesOptions) {
  return async ({ actor, input }: UserRequest<'notification:set-preferences'>): Promise<Answer> =>
    answer(await changePreferences(orm, actor.userId, () => input.preferences), vapidPublicKey);
}

/** Changes what a user has chosen. Two at once take turns. */
export function changePreferences(
  orm: Database['orm'],
  userId: string,
  change: (chosen: Chosen) => PreferencesChange,
): Promise<Chosen> {
  const now = new Date();
  return inUnitOfWork(orm, async em => {
    await em
      .createQueryBuilder(PreferenceEntity)
      .insert({ userId, chosen: {}, updatedAt: now })
      .onConflict('userId')
      .ignore()
      .execute();
    const row = await em.findOneOrFail(PreferenceEntity, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    row.chosen = choose(row.chosen, change(row.chosen));
    row.updatedAt = now;
    return row.chosen;
  });
}

function answer(chosen: Chosen | undefined, vapidPublicKey: string | undefined): Answer {
  return { preferences: preferencesOf(chosen), ...(vapidPublicKey !== undefined && { vapidPublicKey }) };
}
