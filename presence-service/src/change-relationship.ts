import { flushBus, type Fact } from '@rapport/bus';
import { asDates, keepRelationship } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { isDeepStrictEqual } from 'node:util';
import { MOST_REPEATS, send, type AnnounceOptions } from './announce.ts';
import { newsOf, type Change } from './news.ts';

type RelationshipFact = Fact<'relationship.changed'>;

/** One of the two, with the relationship as it was read at the same moment. */
type Party = Pick<Change, 'userId' | 'to' | 'lastSeenAt' | 'version'> & { linked: boolean; relationship: number };

/** Keeps the relationship; then two who begin to see each other are told who is there, two who stop that nobody is. */
export function createChangeRelationship({ bus, pool, policy, count }: AnnounceOptions) {
  const tellTwo = (parties: readonly Party[]): void => {
    for (const { userId: viewer, to } of parties) {
      if (to === 'offline') continue;
      for (const party of parties) {
        if (party.userId === viewer) continue;
        // When somebody was last seen is no longer the other's to know.
        const subject = party.linked ? party : { ...party, to: 'offline' as const, lastSeenAt: null };
        for (const news of newsOf({ ...subject, from: undefined })) {
          send(bus, { user: viewer }, news);
          count(news.event, 1);
        }
      }
    }
  };

  return {
    keep: async (fact: RelationshipFact, client: PoolClient): Promise<void> => {
      await keepRelationship(fact, client);
    },
    // Read after the commit: who changes status from now on finds the relationship as it is.
    tell: async ({ data }: RelationshipFact): Promise<void> => {
      if (policy === 'open') return;
      let parties = await partiesOf(pool, data);
      // Whom nobody sees, nobody can lose sight of; who is not there is told when they come.
      const areBothThere = parties.length === 2 && parties.every(({ to }) => to !== 'offline');
      if (!areBothThere || parties.some(({ relationship }) => relationship !== data.version)) return;
      for (let repeat = 0; repeat < MOST_REPEATS; repeat += 1) {
        tellTwo(parties);
        await flushBus(bus);
        // What has changed meanwhile may have been told before: then what was told last is not how things are.
        const told = parties;
        parties = await partiesOf(pool, data);
        if (isDeepStrictEqual(parties, told)) return;
      }
    },
  };
}

async function partiesOf(
  pool: Pool,
  { clientUserId, therapistUserId }: Pick<RelationshipFact['data'], 'clientUserId' | 'therapistUserId'>,
): Promise<Party[]> {
  const { rows } = await pool.query<Party>({
    name: 'presence-of-two',
    text: `select p.user_id as "userId", p.status as to, p.last_seen_at as "lastSeenAt", p.version,
                  r.linked, r.version as relationship
             from care_relationship r join presence p on p.user_id in (r.client_user_id, r.therapist_user_id)
            where r.client_user_id = $1 and r.therapist_user_id = $2
            order by p.user_id`,
    types: asDates,
    values: [clientUserId, therapistUserId],
  });
  return rows;
}
