import { OutboxEntity, serviceTables, type DatabaseDefinition } from '@rapport/service/database';
import { ConversationEntity } from './conversation.ts';
import { MessageEntity } from './message.ts';
import { messages } from './migrations/2026-11-23-messages.ts';
import { relationships } from './migrations/2026-11-25-relationships.ts';
import { RelationshipChangeEntity, RelationshipEntity } from './relationship.ts';

export const database: DatabaseDefinition = {
  entities: [ConversationEntity, MessageEntity, RelationshipEntity, RelationshipChangeEntity, OutboxEntity],
  migrations: [serviceTables, messages, relationships],
};
