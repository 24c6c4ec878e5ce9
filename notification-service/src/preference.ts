import { defineEntity, p } from '@mikro-orm/core';
import type { Chosen } from './choices.ts';

/** How a user wants to be notified, as far as they have said so. */
export const PreferenceEntity = defineEntity({
  name: 'Preference',
  tableName: 'preference',
  properties: {
    userId: p.text().primary(),
    chosen: p.json<Chosen>(),
    updatedAt: p.datetime(3),
  },
});
