import { runMigrate } from '@rapport/service/database';
import { database } from './database.ts';

await runMigrate('presence-service', database);
