import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Profile } from '@rapport/contracts';
import type { Seal } from '@rapport/service/seal';

/** Who a user is, as far as reaching them goes. */
export const ProfileEntity = defineEntity({
  name: 'Profile',
  tableName: 'profile',
  uniques: [{ name: 'profile_therapist', properties: ['therapistId'] }],
  properties: {
    userId: p.text().primary(),
    /** Name and e-mail address, encrypted. */
    sealed: p.blob(),
    keyId: p.text(),
    /** So that whether to plan an e-mail can be asked without opening the seal. */
    hasEmail: p.boolean(),
    locale: p.text().nullable(),
    timeZone: p.text().nullable(),
    therapistId: p.text().nullable(),
    version: p.integer(),
    updatedAt: p.datetime(3),
  },
});
export type ProfileRow = InferEntity<typeof ProfileEntity>;

/** What is encrypted of a profile. */
export type Person = Pick<Profile, 'name' | 'email'>;

/** What a sealed person belongs to: in another user's row it does not open. */
export function personOf(userId: string): string {
  return `profile/${userId}`;
}

/** @throws when the row was tampered with or its key is not configured */
export function openPerson(row: Pick<ProfileRow, 'userId' | 'sealed' | 'keyId'>, seal: Seal): Person {
  return seal.open(row.sealed, row.keyId, personOf(row.userId)) as Person;
}

export function toProfile(row: ProfileRow, seal: Seal): Profile {
  return {
    userId: row.userId,
    ...openPerson(row, seal),
    ...(row.locale !== null && { locale: row.locale }),
    ...(row.timeZone !== null && { timeZone: row.timeZone }),
    ...(row.therapistId !== null && { therapistId: row.therapistId }),
    version: row.version,
  };
}
