import { beforeAll, expect, test } from '@jest/globals';
import { runningPostgres, START_TIMEOUT_MS, atEnd } from '../../libs/service/test/kit.ts';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { database } from '../src/database.ts';
import { notificationDatabase } from './kit.ts';

let orm: Database['orm'];

beforeAll(async () => {
  const { url } = await notificationDatabase(await runningPostgres());
  ({ orm } = await connectDatabase({ url, poolSize: 1, definition: database }));
  atEnd(() => orm.close(true));
}, START_TIMEOUT_MS);

/** What the tables enforce and entities have no words for. */
const BEYOND_THE_ENTITIES = [
  'alter table "delivery" drop constraint "delivery_notification_id_fkey";',
  'alter table "outbox" drop column "published_at";',
  'drop index "delivery_dead";',
  'drop index "delivery_due";',
  'drop index "notification_age";',
  'drop index "notification_expiry";',
  'drop index "notification_list";',
  'drop index "notification_open_group";',
  'drop index "notification_unread";',
  'drop index "outbox_unpublished";',
];

test('the migrated tables are what the entities say', async () => {
  const sql = await orm.schema.getUpdateSchemaSQL({ dropTables: false, safe: false });
  const changes = sql.split('\n').filter(line => line !== '' && line !== "set names 'utf8';");
  expect(changes.toSorted()).toEqual(BEYOND_THE_ENTITIES.toSorted());
});
