import { outboxRows, relationshipProjection, serviceTables, type DatabaseDefinition } from '@rapport/service/database';
import { presence } from './migrations/2026-11-25-presence.ts';
import { RevocationEntity } from './revocation.ts';

export const database: DatabaseDefinition = {
  entities: [RevocationEntity],
  migrations: [serviceTables, relationshipProjection, presence, outboxRows],
};
