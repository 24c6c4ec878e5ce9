import { OutboxEntity, outboxRows, serviceTables, type DatabaseDefinition } from '@rapport/service/database';
import { ConversationEntity } from './conversation.ts';
import { LegalHoldEntity } from './legal-hold.ts';
import { MessageEntity } from './message.ts';
import { MessageRevisionEntity } from './message-revision.ts';
import { messages } from './migrations/2026-11-23-messages.ts';
import { legalHoldIndex } from './migrations/2026-11-25-legal-hold-index.ts';
import { messageConversation } from './migrations/2026-11-25-message-conversation.ts';
import { receiptsAndChanges } from './migrations/2026-11-25-receipts-and-changes.ts';
import { relationships } from './migrations/2026-11-25-relationships.ts';
import { RelationshipChangeEntity, RelationshipEntity } from './relationship.ts';

export const database: DatabaseDefinition = {
  entities: [
    ConversationEntity,
    MessageEntity,
    MessageRevisionEntity,
    LegalHoldEntity,
    RelationshipEntity,
    RelationshipChangeEntity,
    OutboxEntity,
  ],
  migrations: [
    serviceTables,
    messages,
    relationships,
    receiptsAndChanges,
    legalHoldIndex,
    messageConversation,
    outboxRows,
  ],
};
