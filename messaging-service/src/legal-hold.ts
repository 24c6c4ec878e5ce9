import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { LegalHold } from '@rapport/contracts';

/** That nothing of a conversation may be given up, and who decided so; when it is released the row stays. */
export const LegalHoldEntity = defineEntity({
  name: 'LegalHold',
  tableName: 'legal_hold',
  indexes: [
    {
      name: 'legal_hold_in_force',
      expression:
        'create unique index "legal_hold_in_force" on "legal_hold" ("conversation_id") where (released_at is null)',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    conversationId: p.uuid().index('legal_hold_conversation'),
    /** What the back office calls the case. */
    reference: p.text().nullable(),
    placedAt: p.datetime(3),
    placedBy: p.text(),
    placedOnBehalfOf: p.text().nullable(),
    releasedAt: p.datetime(3).nullable(),
    releasedBy: p.text().nullable(),
    releasedOnBehalfOf: p.text().nullable(),
  },
});

/** The hold as the contract shows it. */
export function toLegalHold(row: InferEntity<typeof LegalHoldEntity>): LegalHold {
  return {
    id: row.id,
    conversationId: row.conversationId,
    inForce: !row.releasedAt,
    placedAt: row.placedAt.toISOString(),
    placedBy: row.placedBy,
    ...(row.reference && { reference: row.reference }),
    ...(row.placedOnBehalfOf && { placedOnBehalfOf: row.placedOnBehalfOf }),
    ...(row.releasedAt && { releasedAt: row.releasedAt.toISOString() }),
    ...(row.releasedBy && { releasedBy: row.releasedBy }),
    ...(row.releasedOnBehalfOf && { releasedOnBehalfOf: row.releasedOnBehalfOf }),
  };
}
