import { AppError, type Config } from '@rapport/contracts';
import { isLinked } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { Caller } from './caller.ts';
import { userOfTherapist } from './therapists.ts';

/**
 * Whether the caller may see when the therapist can be booked: under `open` anybody, under `care-team` their linked
 * clients, the therapist themself, admins and services.
 * @throws AppError `UNAUTHORIZED`, the same whether the therapist exists or not
 */
export type RequireContact = (caller: Caller, therapistId: string) => Promise<void>;

/**
 * Whether the caller may book the client with the therapist: a client only themself, a therapist only with themself,
 * admins and services anybody; and under `care-team` a client and a therapist who are linked.
 * @throws AppError `UNAUTHORIZED`
 */
export type RequireBookable = (caller: Caller, of: { clientId: string; therapistId: string }) => Promise<void>;

interface ContactPolicyOptions {
  policy: Config<'appointment-service'>['CONTACT_POLICY'];
  pool: Pool;
}

/** Asked of the database each time, so that the end of a relationship is in force as soon as it is known. */
export function createContactPolicy({ policy, pool }: ContactPolicyOptions): {
  requireContact: RequireContact;
  requireBookable: RequireBookable;
} {
  const areLinked = async (userId: string, therapistId: string): Promise<boolean> =>
    policy === 'open' || isLinked(pool, userId, await userOfTherapist(pool, therapistId));

  return {
    async requireContact(caller, therapistId) {
      if (isOffice(caller)) return;
      if (caller.kind !== 'user') throw unauthorized();
      if (caller.role === 'therapist' && caller.therapistId === therapistId) return;
      if (!(await areLinked(caller.userId, therapistId))) throw unauthorized();
    },
    async requireBookable(caller, { clientId, therapistId }) {
      if (isOffice(caller)) return;
      if (caller.kind !== 'user') throw unauthorized();
      const isOwn = caller.role === 'therapist' ? caller.therapistId === therapistId : caller.userId === clientId;
      if (!isOwn) throw unauthorized();
      const isAllowed =
        caller.role === 'therapist'
          ? policy === 'open' || (await isLinked(pool, clientId, caller.userId))
          : await areLinked(clientId, therapistId);
      if (!isAllowed) throw unauthorized();
    },
  };
}

function isOffice(caller: Caller): boolean {
  return caller.kind === 'service' || (caller.kind === 'user' && caller.role === 'admin');
}

function unauthorized(): AppError {
  return new AppError('UNAUTHORIZED', 'you may not book these two');
}
