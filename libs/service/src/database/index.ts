export { runMigrate, runReplay } from './commands.ts';
export {
  asDates,
  assertMigrated,
  connectDatabase,
  inTransaction,
  type Database,
  type DatabaseDefinition,
} from './connection.ts';
export { startOutbox, type Outbox, type OutboxRow, type Redeliver } from './outbox.ts';
export { serviceTables } from './service-tables.ts';
