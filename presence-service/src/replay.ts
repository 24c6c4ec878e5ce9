import { runReplay } from '@rapport/service/database';
import { database } from './database.ts';

await runReplay('presence-service', database);
