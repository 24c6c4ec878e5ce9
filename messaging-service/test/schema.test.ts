import { beforeAll, expect, test } from '@jest/globals';
import { runningPostgres, START_TIMEOUT_MS, atEnd } from '../../libs/service/test/kit.ts';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { database } from '../src/database.ts';
import { messagingDatabase } from './kit.ts';

let orm: Database['orm'];

beforeAll(async () => {
  const { url } = await messagingDatabase(await runningPostgres());
  ({ orm } = await connectDatabase({ url, poolSize: 1, definition: database }));
  atEnd(() => orm.close(true));
}, START_TIMEOUT_MS);

/** What the tables enforce and entities have no words for. */
const BEYOND_THE_ENTITIES = [
  'alter table "message" drop constraint "message_reply_to_id_fkey";',
  'alter table "message_revision" drop constraint "message_revision_message_id_fkey";',
  'alter table "legal_hold" drop constraint "legal_hold_conversation_id_fkey";',
  'alter table "conversation" drop constraint "conversation_order";',
  'alter table "care_relationship" drop constraint "care_relationship_two_people";',
  'alter table "care_relationship_change" drop constraint "care_relationship_change_relationship_id_fkey";',
  'alter table "outbox" drop column "published_at";',
  'drop index "outbox_unpublished";',
];

test('the migrated tables are what the entities say', async () => {
  const sql = await orm.schema.getUpdateSchemaSQL({ dropTables: false, safe: false });
  const changes = sql.split('\n').filter(line => line !== '' && line !== "set names 'utf8';");
  expect(changes.toSorted()).toEqual(BEYOND_THE_ENTITIES.toSorted());
});
