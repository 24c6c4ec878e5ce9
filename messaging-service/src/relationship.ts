import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Relationship } from '@rapport/contracts';

/** That a client is, or was, in the care of a therapist: the row stays when it ends. */
export const RelationshipEntity = defineEntity({
  name: 'Relationship',
  tableName: 'care_relationship',
  uniques: [{ name: 'care_relationship_pair', properties: ['clientUserId', 'therapistUserId'] }],
  properties: {
    id: p.uuid().primary(),
    clientUserId: p.text(),
    therapistUserId: p.text().index('care_relationship_therapist'),
    linked: p.boolean(),
    /** Rises by one whenever it begins or ends. */
    version: p.integer(),
    since: p.datetime(3),
    endedAt: p.datetime(3).nullable(),
  },
});
export type RelationshipRow = InferEntity<typeof RelationshipEntity>;

/** Who began or ended a relationship, for the record. */
export const RelationshipChangeEntity = defineEntity({
  name: 'RelationshipChange',
  tableName: 'care_relationship_change',
  properties: {
    relationshipId: p.uuid().primary(),
    version: p.integer().primary(),
    linked: p.boolean(),
    changedAt: p.datetime(3),
    service: p.text(),
    onBehalfOf: p.text().nullable(),
  },
});

/** The relationship as the contract shows it. */
export function toRelationship(row: RelationshipRow): Relationship {
  return {
    id: row.id,
    clientUserId: row.clientUserId,
    therapistUserId: row.therapistUserId,
    linked: row.linked,
    since: row.since.toISOString(),
    ...(row.endedAt && { endedAt: row.endedAt.toISOString() }),
    version: row.version,
  };
}
