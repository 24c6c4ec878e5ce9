import { runReplay } from '@rapport/service/database';
import { database } from './database.ts';

await runReplay('appointment-service', database);
