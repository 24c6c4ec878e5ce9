import { beforeAll, expect, test } from '@jest/globals';
import { consumerLag, publish, type Bus, type Fact } from '@rapport/bus';
import { durableName, type FactData } from '@rapport/contracts';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { migrate } from '../../libs/service/src/database/connection.ts';
import { busAs, newDatabase, poolOf, recordedLog, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { database } from '../src/database.ts';
import { createForgetReadMessages } from '../src/forget-messages.ts';
import { messagesTogether } from '../src/migrations/2026-11-26-messages-together.ts';
import type { News } from '../src/news.ts';
import { createWaitForLook } from '../src/waiting-messages.ts';
import { asUser, dataOf, presenceStandIn, replica, sent, surroundings, upTo, type Surroundings } from './kit.ts';

let around: Surroundings;
let pool: Pool;
let messaging: Bus;
let notifications: Bus;

// Two replicas on a database that the version before has left: every test here is one of the upgrade too.
beforeAll(async () => {
  around = await surroundings();
  const url = await newDatabase(around.postgres);
  pool = poolOf(url, 10);
  const migrateTo = (migrations: typeof database.migrations): Promise<void> =>
    migrate({ url, poolSize: 2, definition: { ...database, migrations } }, recordedLog().log);
  await migrateTo(database.migrations.filter(migration => migration !== messagesTogether));
  await leaveByVersionBefore();
  await migrateTo(database.migrations);
  [messaging, notifications] = await Promise.all([
    busAs(around.nats, 'messaging-service'),
    busAs(around.nats, 'notification-service'),
  ]);
  await presenceStandIn(around, new Map());
  for (const _ of upTo(2)) await replica(around, { DATABASE_URL: url });
}, START_TIMEOUT_MS);

/** Messages of `uma` that wait for a look, one of them not the first, and a notification of `ugo`, archived since. */
async function leaveByVersionBefore(): Promise<void> {
  await pool.query(
    `insert into waiting_message (user_id, conversation_id, seq, sender_id, look_at)
     select 'uma', 'c-uma', seq, 'sender', now() from unnest('{1,2,4}'::int[]) as seq`,
  );
  await pool.query(
    `insert into notification (id, user_id, type, priority, hidden, group_key, seqs, source, created_at, touched_at,
                               archived_at)
     values (gen_random_uuid(), 'ugo', 'MESSAGE_RECEIVED', 'normal', false, 'message/c-ugo', '{1,2}',
             'notification-service', now(), now(), now())`,
  );
}

const readUpTo = (userId: string, readUpToSeq: number, conversationId = `c-${userId}`): FactData<'message.read'> => ({
  conversationId,
  userId,
  otherUserId: 'sender',
  readUpToSeq,
  version: 100,
  readAt: new Date().toISOString(),
});

const factOf = <D>(data: D): { id: string; time: Date; data: D } => ({ id: uuidv7(), time: new Date(), data });

/** Resolves when all of them have had their effect, or had it before, whichever replica heard them. */
async function hear(messages: readonly FactData<'message.sent'>[]): Promise<void> {
  await Promise.all(messages.map(data => publish(messaging, 'message.sent', factOf(data))));
  const [fact, service] = ['message.sent', 'notification-service'] as const;
  await until(
    async () => (await consumerLag(notifications, { durable: durableName(service, fact), fact, service })) === 0,
  );
  const users = messages.map(({ recipientId }) => recipientId);
  await until(
    async () => (await pool.query('select from waiting_message where user_id = any($1)', [users])).rowCount === 0,
  );
}

const list = async (userId: string) =>
  dataOf(await asUser(around, userId, 'notification:list', { limit: 50, unreadOnly: false }));

/** How many messages each open notification of the user stands for. */
const countsOf = async (userId: string): Promise<unknown[]> =>
  (await list(userId)).notifications.filter(({ readAt }) => !readAt).map(({ data }) => data?.['count']);

const heardOf = async (conversationId: string): Promise<string | undefined> => {
  const { rows } = await pool.query<{ seqs: string }>(
    'select seqs::text from conversation_heard where conversation_id = $1',
    [conversationId],
  );
  return rows[0]?.seqs;
};

test('what waited for a look before the upgrade is told after it, and what was heard of is not heard again', async () => {
  await until(async () => (await list('uma')).unreadCount === 1);
  await hear([sent('uma', 2), sent('uma', 3), sent('ugo', 1), sent('ugo', 2)]);
  expect(await countsOf('uma')).toEqual([4]);
  expect((await list('ugo')).notifications).toEqual([]);
  expect([await heardOf('c-uma'), await heardOf('c-ugo')]).toEqual(['{[1,5)}', '{[1,3)}']);
});

test('a fact that comes again, long after its notification was put away too, notifies nobody again', async () => {
  const messages = upTo(3).map(seq => sent('vera', seq));
  await hear([...messages, ...messages]);
  expect(await countsOf('vera')).toEqual([3]);
  const [notification] = (await list('vera')).notifications;
  dataOf(await asUser(around, 'vera', 'notification:archive', { notificationId: notification!.id }));
  await pool.query(`update notification set touched_at = now() - interval '1 year' where user_id = 'vera'`);
  await hear(messages);
  expect((await list('vera')).notifications).toEqual([]);
  await hear([...messages, sent('vera', 4)]);
  expect(await countsOf('vera')).toEqual([1]);
});

test('facts out of their order, with holes between them, are each told once, and leave one range', async () => {
  await hear([9, 3, 4, 7].map(seq => sent('vic', seq)));
  expect(await heardOf('c-vic')).toBe('{[3,5),[7,8),[9,10)}');
  await hear([8, 4, 2].map(seq => sent('vic', seq)));
  expect(await countsOf('vic')).toEqual([6]);
  await hear([5, 1, 9, 6].map(seq => sent('vic', seq)));
  expect(await countsOf('vic')).toEqual([9]);
  expect(await heardOf('c-vic')).toBe('{[1,10)}');
});

test('both who write in a conversation are told of what the other wrote', async () => {
  await hear([sent('wim', 1, 'c-both'), sent('wanda', 2, 'c-both'), sent('wim', 3, 'c-both')]);
  expect([await countsOf('wim'), await countsOf('wanda')]).toEqual([[2], [1]]);
});

test('replicas that get the same facts of new conversations at the same moment give each one effect', async () => {
  const askPresence = async (userIds: readonly string[]) => new Map(userIds.map(userId => [userId, 'online'] as const));
  const replicas = upTo(4).map(() => createWaitForLook({ pool, askPresence }));
  for (const round of upTo(20)) {
    const facts = upTo(60).map(number =>
      factOf(sent(`x-${number}`, Math.ceil(number / 20), `c-${round}-${number % 20}`)),
    );
    const outcomes = await Promise.all(
      replicas.map(handle => handle(facts.toSorted(() => Math.random() - 0.5) as Fact<'message.sent'>[])),
    );
    expect(outcomes.reduce((sum, { repeated }) => sum + repeated, 0)).toBe(3 * 60);
  }
  const { rows } = await pool.query(
    `select count(*)::int as heard, count(distinct (conversation_id, seq))::int as once from waiting_message
      where user_id like 'x-%'`,
  );
  expect(rows).toEqual([{ heard: 20 * 60, once: 20 * 60 }]);
});

test('when what is to be done about messages fails, they are not heard of either', async () => {
  const handle = createWaitForLook({ pool, askPresence: async () => new Map() });
  const [good, bad] = [factOf(sent('xena', 1)), factOf({ ...sent('xena', 2), senderId: null as never })];
  await expect(handle([good, bad])).rejects.toThrow('null value');
  expect(await heardOf('c-xena')).toBeUndefined();
  expect(await handle([good])).toEqual({ repeated: 0 });
});

/** The real handler, and what it tells. */
function readHandler() {
  const told: News[] = [];
  const handle = createForgetReadMessages({ pool, tellNews: news => void told.push(...news) });
  const read = (marks: readonly FactData<'message.read'>[]) => handle(marks.map(data => factOf(data)));
  return { told, read };
}

test('many reads together: each count is right and told once, and who had nothing open is told nothing', async () => {
  await hear([
    ...upTo(2).map(seq => sent('yara', seq, 'c-yara')),
    sent('yara', 1, 'd-yara'),
    sent('yara', 1, 'e-yara'),
    ...upTo(3).map(seq => sent('yves', seq)),
  ]);
  const before = await list('yara');
  const { told, read } = readHandler();
  const marks = [
    readUpTo('yara', 2, 'c-yara'),
    readUpTo('yara', 1, 'c-yara'),
    readUpTo('yara', 1, 'd-yara'),
    readUpTo('yves', 1),
    readUpTo('yves', 2),
    ...upTo(200).map(number => readUpTo(`y-${number}`, number)),
  ];
  await read(marks);
  expect(told).toHaveLength(1);
  const [{ fact, state }] = told as [News];
  expect(state).toEqual({ unreadCount: 1, version: before.version + 1 });
  const over = before.notifications.filter(({ data }) => data?.['conversationId'] !== 'e-yara').map(({ id }) => id);
  expect(fact.data).toEqual({ userId: 'yara', version: state.version, readIds: expect.arrayContaining(over) });
  expect(await list('yara')).toMatchObject(state);
  expect(await countsOf('yves')).toEqual([1]);
  // All of it once more, as after a crash before the facts were acknowledged.
  await read(marks);
  expect(told).toHaveLength(1);
  expect(await list('yara')).toMatchObject(state);
  // A mark never goes back, and what is heard of below it is not told.
  await hear([sent('y-150', 149), sent('y-150', 151)]);
  expect(await countsOf('y-150')).toEqual([1]);
});

test('a message that is read while it is looked at is not told', async () => {
  await hear([sent('zoe', 1)]);
  const { read } = readHandler();
  const blocker = await pool.connect();
  try {
    // The batch stops half-way, at the notification of one: the mark of the other is written and not committed.
    await blocker.query('begin');
    await blocker.query(`select from notification where user_id = 'zoe' for update`);
    const reading = read([readUpTo('zoe', 1), readUpTo('zac', 1)]);
    await until(() => isBlocked('update notification'));
    await publish(messaging, 'message.sent', factOf(sent('zac', 1)));
    await until(() => isBlocked('insert into inbox'));
    await blocker.query('commit');
    await reading;
  } finally {
    blocker.release();
  }
  await hear([sent('zac', 2)]);
  expect(await countsOf('zac')).toEqual([1]);
});

const isBlocked = async (statement: string): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like $1 || '%'`,
    [statement],
  );
  return rowCount !== 0;
};
