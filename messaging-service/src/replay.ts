import { runReplay } from '@rapport/service/database';
import { database } from './database.ts';

await runReplay('messaging-service', database);
