import type { Fact } from '@rapport/bus';
import { keepRelationship } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { notifyOfOwn, type OwnOptions } from './notify-of-own.ts';

/** Tells both that they may write to each other from now on, or no more. A fact that is overtaken tells nothing. */
export function createNotifyOfRelationship(options: OwnOptions) {
  return async (fact: Fact<'relationship.changed'>, client: PoolClient): Promise<(() => void) | undefined> => {
    if (!(await keepRelationship(fact, client))) return undefined;
    const { clientUserId, therapistUserId, linked } = fact.data;
    const type = linked ? 'RELATIONSHIP_STARTED' : 'RELATIONSHIP_ENDED';
    return notifyOfOwn(options, client, [
      { userId: clientUserId, type, params: { userId: therapistUserId } },
      { userId: therapistUserId, type, params: { userId: clientUserId } },
    ]);
  };
}
