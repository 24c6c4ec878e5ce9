import { beforeAll, expect, test } from '@jest/globals';
import { runningPostgres, START_TIMEOUT_MS, atEnd } from '../../libs/service/test/kit.ts';
import { connectDatabase, type Database } from '../../libs/service/src/database/connection.ts';
import { database } from '../src/database.ts';
import { appointmentDatabase } from './kit.ts';

let orm: Database['orm'];

beforeAll(async () => {
  const { url } = await appointmentDatabase(await runningPostgres());
  ({ orm } = await connectDatabase({ url, poolSize: 1, definition: database }));
  atEnd(() => orm.close(true));
}, START_TIMEOUT_MS);

/** What the tables enforce and entities have no words for. */
const BEYOND_THE_ENTITIES = [
  'alter table "appointment" drop constraint "appointment_client_is_free";',
  'alter table "appointment" drop constraint "appointment_series_id_fkey";',
  'alter table "appointment" drop constraint "appointment_status";',
  'alter table "appointment" drop constraint "appointment_therapist_is_free";',
  'alter table "appointment" drop constraint "appointment_times";',
  'alter table "appointment_change" drop constraint "appointment_change_appointment_id_fkey";',
  'alter table "appointment_change" drop constraint "appointment_change_by";',
  'drop index "appointment_of_series";',
  'drop index "appointment_open";',
];

test('the migrated tables are what the entities say', async () => {
  const sql = await orm.schema.getUpdateSchemaSQL({ dropTables: false, safe: false });
  const changes = sql.split('\n').filter(line => line !== '' && line !== "set names 'utf8';");
  expect(changes.toSorted()).toEqual(BEYOND_THE_ENTITIES.toSorted());
});
