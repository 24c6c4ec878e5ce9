import { defineEntity, p } from '@mikro-orm/core';

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
    conversationId: p.uuid(),
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
