export { byteaArray, intArray, textArray, uuidArray } from './binary-arrays.ts';
export { runMigrate, runReplay } from './commands.ts';
export {
  asDates,
  assertMigrated,
  connectDatabase,
  inTransaction,
  inUnitOfWork,
  unavailableWithoutDatabase,
  type Database,
  type DatabaseDefinition,
} from './connection.ts';
export { startConsumers } from './consumers.ts';
export { insertFacts, newFact, OutboxEntity, persistFact, type OutboxFact } from './outbox-row.ts';
export type { Redeliver } from './outbox-sweeper.ts';
export { startOutbox, type Outbox } from './outbox.ts';
export { connectPipeline, inPipelinedTransaction, type Pipeline } from './pipeline.ts';
export { contactsOf, isLinked, keepRelationship, relationshipProjection } from './relationships.ts';
export { repeat } from './repeat.ts';
export type { Querying } from './statements.ts';
export { outboxRows, serviceTables } from './service-tables.ts';
