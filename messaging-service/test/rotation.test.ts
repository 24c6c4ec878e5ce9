import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createSeal, type Seal } from '@rapport/service/seal';
import type { Postgres } from '@rapport/local-stack';
import type { Pool } from 'pg';
import type { Database } from '../../libs/service/src/database/connection.ts';
import { newKey, poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { identityOf, MessageEntity, toMessage } from '../src/message.ts';
import { rotateContentKeys } from '../src/rotate-content-keys.ts';
import { writeDeletion, writeEdit } from '../src/write-change.ts';
import { draftOf, messagingDatabase, ormOf, someoneWaits, upTo, writeAll } from './kit.ts';

const [OLD, NEW] = [newKey('2026-05'), newKey('2026-11')];
const before = createSeal([OLD, NEW]);
const after = createSeal([NEW, OLD]);
const MANY = 1_200;

let postgres: Postgres;
let pool: Pool;
let url: string;
let orm: Database['orm'];
let ids: string[];

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await messagingDatabase(postgres));
  orm = await ormOf(url);
  const drafts = upTo(MANY).map(number =>
    draftOf('alice', { recipientId: `bob-${number % 5}`, content: `text ${number}` }),
  );
  const outcomes = await writeAll(pool, drafts, { seal: before });
  ids = outcomes.flatMap(outcome => ('result' in outcome ? [outcome.result.message.id] : []));
});

async function change(index: number, seal: Seal, content?: string): Promise<void> {
  const { id, conversationId } = await orm.em.fork().findOneOrFail(MessageEntity, { id: ids[index]! });
  const which = { messageId: id, conversationId, socketId: undefined };
  await (content === undefined ? writeDeletion({ orm, seal }, which) : writeEdit({ orm, seal }, { ...which, content }));
}

async function keysInUse(): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ key: string; count: number }>(
    `select key_id as key, count(*)::int as count
       from (select key_id from message union all select key_id from message_revision) t
      where key_id is not null group by 1`,
  );
  return Object.fromEntries(rows.map(({ key, count }) => [key, count]));
}

/** What everybody sees, with those keys. */
async function contents(seal: Seal): Promise<(string | undefined)[]> {
  const rows = await orm.em.fork().find(MessageEntity, {});
  const byId = new Map(rows.map(row => [row.id, toMessage(row, seal).content]));
  return ids.map(id => byId.get(id));
}

const nothing = (): void => undefined;

test('everything stored, earlier texts too, is under the new key afterwards, and reads as before without the old one', async () => {
  await change(0, before, 'edited');
  await change(0, before, 'edited again');
  await change(1, before);
  const seen = await contents(before);
  expect(await keysInUse()).toEqual({ '2026-05': MANY - 1 + 3 });
  let told = 0;
  await rotateContentKeys(pool, after, rotated => (told = rotated));
  expect(await keysInUse()).toEqual({ '2026-11': MANY - 1 + 3 });
  expect(told).toBe(MANY - 1 + 3);
  const withoutOld = createSeal([NEW]);
  expect(await contents(withoutOld)).toEqual(seen);
  const { rows } = await pool.query<{ sealed: Buffer; key_id: string; revision: number; identity: string }>(
    `select r.*, m.conversation_id || '/' || m.id || '/' || r.revision as identity
       from message_revision r join message m on m.id = r.message_id where m.id = $1 order by r.revision`,
    [ids[0]],
  );
  const earlier = rows.map(row => withoutOld.open(row.sealed, row.key_id, row.identity));
  expect(earlier).toEqual([{ content: 'text 1' }, { content: 'edited' }]);
});

test('one that is interrupted goes on where it is begun again, and has not touched a text twice', async () => {
  const interrupted = rotateContentKeys(pool, after, () => {
    throw new Error('killed');
  });
  await expect(interrupted).rejects.toThrow('killed');
  const done = (await keysInUse())['2026-11'] ?? 0;
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(MANY);
  let told = 0;
  await rotateContentKeys(pool, after, rotated => (told = rotated));
  expect(told).toBe(MANY - done);
  expect(await keysInUse()).toEqual({ '2026-11': MANY });
});

test('several at once, while people go on editing and deleting, lose no change and leave no old key', async () => {
  const replicas = [0, 1, 2].map(() => poolOf(url));
  const changing = (async () => {
    for (const index of upTo(60)) await change(index * 15, after, index % 3 ? `changed ${index}` : undefined);
  })();
  await Promise.all([...replicas.map(replica => rotateContentKeys(replica, after, nothing)), changing]);
  expect(Object.keys(await keysInUse())).toEqual(['2026-11']);
  const seen = await contents(createSeal([NEW]));
  for (const index of upTo(60)) expect(seen[index * 15]).toBe(index % 3 ? `changed ${index}` : undefined);
  expect(seen.filter(content => content?.startsWith('text '))).toHaveLength(MANY - 60);
});

test('an edit that is under way when it begins leaves no earlier text under the old key', async () => {
  const holder = await pool.connect();
  await holder.query('begin');
  // The edit has read the text and waits to write it to the record; the record can be read meanwhile.
  await holder.query('lock table message_revision in share mode');
  const editing = change(0, after, 'edited');
  await someoneWaits(pool);
  const seen = Promise.withResolvers<void>();
  let rounds = 0;
  const rotating = rotateContentKeys(poolOf(url), after, () => {
    rounds += 1;
    // By then everything else is done, and it has come back for what it passed over.
    if (rounds > 5) seen.resolve();
  });
  await Promise.race([rotating, seen.promise]);
  await holder.query('commit');
  holder.release();
  await Promise.all([editing, rotating]);
  expect(await keysInUse()).toEqual({ '2026-11': MANY + 1 });
});

test('a text that changed after it was read is left as it is now', async () => {
  const [id] = ids as [string];
  const row = await orm.em.fork().findOneOrFail(MessageEntity, { id });
  const editor = await pool.connect();
  await editor.query('begin');
  // Texts can be read meanwhile, and none can be replaced.
  await editor.query('lock table message in exclusive mode');
  const rotating = rotateContentKeys(poolOf(url), after, nothing);
  await someoneWaits(pool);
  const edited = before.close({ content: 'edited' }, identityOf({ ...row, revision: 1 }));
  await editor.query('update message set sealed = $2, key_id = $3, revision = 1 where id = $1', [
    id,
    edited.sealed,
    edited.keyId,
  ]);
  await editor.query('commit');
  editor.release();
  await rotating;
  expect((await contents(createSeal([NEW])))[0]).toBe('edited');
});

test('a text whose key is not configured ends it, and the message says which key and nothing else', async () => {
  await expect(rotateContentKeys(pool, createSeal([NEW]), nothing)).rejects.toThrow(
    /^the content key 2026-05 is not configured$/,
  );
  expect(await keysInUse()).toEqual({ '2026-05': MANY });
});
