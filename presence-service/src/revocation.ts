import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** Tokens of a user that were issued before are refused. Kept for good. */
export const RevocationEntity = defineEntity({
  name: 'Revocation',
  tableName: 'revocation',
  uniques: [{ name: 'revocation_number', properties: ['number'] }],
  properties: {
    userId: p.text().primary(),
    revokedBefore: p.datetime(3),
    /** Counts every revocation there ever was, in commit order. */
    number: p.integer(),
  },
});
export type RevocationRow = InferEntity<typeof RevocationEntity>;
