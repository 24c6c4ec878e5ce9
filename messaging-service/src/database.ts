import { serviceTables, type DatabaseDefinition } from '@rapport/service/database';
import { ConversationEntity } from './conversation.ts';
import { MessageEntity } from './message.ts';
import { messages } from './migrations/2026-11-23-messages.ts';

export const database: DatabaseDefinition = {
  entities: [ConversationEntity, MessageEntity],
  migrations: [serviceTables, messages],
};
