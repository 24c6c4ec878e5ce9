import { LockMode } from '@mikro-orm/core';
import type { ServiceRequest } from '@rapport/bus';
import { AppError, type Profile } from '@rapport/contracts';
import { inUnitOfWork, newFact, persistFact, type Database, type Outbox } from '@rapport/service/database';
import type { Seal } from '@rapport/service/seal';
import { openPerson, personOf, ProfileEntity, toProfile, type Person } from './profile.ts';

const UNIQUE_VIOLATION = '23505';

interface ProfileOptions {
  orm: Database['orm'];
  seal: Seal;
  outbox: Outbox;
}

/** Sets what is given of a profile. @throws AppError `CONFLICT` when the therapist is another user */
export function createSetProfile({ orm, seal, outbox }: ProfileOptions) {
  return async ({ input }: ServiceRequest<'profile.set'>): Promise<Profile> => {
    const { userId } = input;
    const now = new Date();
    const work = () =>
      inUnitOfWork(orm, async em => {
        // Made if it is new, so that there is a row to lock: two at once take turns.
        const nobody = seal.close({}, personOf(userId));
        await em
          .createQueryBuilder(ProfileEntity)
          .insert({ userId, ...nobody, hasEmail: false, version: 0, updatedAt: now })
          .onConflict('userId')
          .ignore()
          .execute();
        const row = await em.findOneOrFail(ProfileEntity, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
        const person = changed(openPerson(row, seal), input);
        Object.assign(row, seal.close(person, personOf(userId)), { hasEmail: person.email !== undefined });
        if (input.locale !== undefined) row.locale = input.locale;
        if (input.timeZone !== undefined) row.timeZone = input.timeZone;
        if (input.therapistId !== undefined) row.therapistId = input.therapistId;
        row.version += 1;
        row.updatedAt = now;
        const { therapistId, version } = row;
        const data = { userId, ...(therapistId !== null && { therapistId }), version, changedAt: now.toISOString() };
        const fact = newFact('profile.changed', data, now);
        persistFact(em, fact);
        return { row, fact };
      });
    const { row, fact } = await work().catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
      throw new AppError('CONFLICT', 'this therapistId belongs to another user', { cause: error });
    });
    outbox.publish(fact);
    return toProfile(row, seal);
  };
}

/** @throws AppError `NOT_FOUND` */
export function createGetProfile({ orm, seal }: Pick<ProfileOptions, 'orm' | 'seal'>) {
  return async ({ input }: ServiceRequest<'profile.get'>): Promise<Profile> => {
    const row = await orm.em.fork().findOne(ProfileEntity, { userId: input.userId });
    if (!row) throw new AppError('NOT_FOUND', 'this user has no profile');
    return toProfile(row, seal);
  };
}

/** What is left out stays, and null removes. */
function changed(person: Person, { name, email }: ServiceRequest<'profile.set'>['input']): Person {
  const given = { ...person, ...(name !== undefined && { name }), ...(email !== undefined && { email }) };
  return {
    ...(typeof given.name === 'string' && { name: given.name }),
    ...(typeof given.email === 'string' && { email: given.email }),
  };
}
