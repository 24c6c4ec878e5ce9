import type { Fact } from '@rapport/bus';
import { asDates, keepRelationship } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { send, type AnnounceOptions } from './announce.ts';
import { newsOf, type Change } from './news.ts';

type RelationshipFact = Fact<'relationship.changed'>;

/** Keeps the relationship; then two who begin to see each other are told who is there, two who stop that nobody is. */
export function createChangeRelationship({ bus, pool, policy, count }: AnnounceOptions) {
  return {
    keep: async (fact: RelationshipFact, client: PoolClient): Promise<void> => {
      await keepRelationship(fact, client);
    },
    // Read after the commit: who changes status from now on finds the relationship as it is.
    tell: async ({ data }: RelationshipFact): Promise<void> => {
      if (policy === 'open') return;
      const { clientUserId, therapistUserId, linked, version } = data;
      const { rows } = await pool.query<Pick<Change, 'userId' | 'to' | 'lastSeenAt' | 'version'>>({
        name: 'presence-of-two',
        text: `select user_id as "userId", status as to, last_seen_at as "lastSeenAt", version from presence
                where user_id in ($1, $2) and status <> 'offline'
                  and exists (select from care_relationship
                               where client_user_id = $1 and therapist_user_id = $2 and version = $3)`,
        types: asDates,
        values: [clientUserId, therapistUserId, version],
      });
      const [one, other] = rows;
      // Whom nobody sees, nobody can lose sight of; who is not there is told when they come.
      if (!one || !other) return;
      for (const [viewer, subject] of [
        [one, other],
        [other, one],
      ] as const) {
        // When somebody was last seen is no longer the other's to know.
        const change = linked ? subject : { ...subject, to: 'offline' as const, lastSeenAt: null };
        for (const news of newsOf({ ...change, from: undefined })) {
          send(bus, { user: viewer.userId }, news);
          count(news.event, 1);
        }
      }
    },
  };
}
