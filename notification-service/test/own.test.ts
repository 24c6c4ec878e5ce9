import { beforeAll, expect, test } from '@jest/globals';
import { publish, type Bus } from '@rapport/bus';
import type { FactData, FactName, Status } from '@rapport/contracts';
import { v7 as uuidv7 } from 'uuid';
import { busAs, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import {
  asService,
  asUser,
  dataOf,
  presenceStandIn,
  replica,
  sent,
  surroundings,
  upTo,
  type Surroundings,
} from './kit.ts';

let around: Surroundings;
let messaging: Bus;
let appointments: Bus;
const statuses = new Map<string, Status>();

beforeAll(async () => {
  around = await surroundings();
  [messaging, appointments] = await Promise.all([
    busAs(around.nats, 'messaging-service'),
    busAs(around.nats, 'appointment-service'),
  ]);
  await presenceStandIn(around, statuses);
  await replica(around);
  await replica(around);
}, START_TIMEOUT_MS);

const tell = <N extends FactName>(bus: Bus, fact: N, data: FactData<N>, id = uuidv7()): Promise<void> =>
  publish(bus, fact, { id, time: new Date(), data });

const list = async (userId: string) =>
  dataOf(await asUser(around, userId, 'notification:list', { limit: 50, unreadOnly: false }));

/** Resolves when these facts have had their effect, whichever replica handles them. */
const consumed = (ids: readonly string[]) =>
  until(async () => {
    const { rowCount } = await around.pool.query('select from consumed_event where event_id = any($1)', [ids]);
    return rowCount === ids.length;
  });

/** Every fact that was told has been handled: nothing waits any more. */
const settled = (userId: string) =>
  until(async () => {
    const { rowCount } = await around.pool.query('select from waiting_message where user_id = $1 and looked = 0', [
      userId,
    ]);
    return rowCount === 0;
  });

test('messages to somebody without a session are one notification for each conversation, which grows', async () => {
  for (const seq of [1, 2, 3]) await tell(messaging, 'message.sent', sent('alice', seq));
  await tell(messaging, 'message.sent', sent('alice', 1, 'another'));
  await until(async () => (await list('alice')).notifications.some(({ message }) => message.includes('3 new')));
  const { notifications, unreadCount } = await list('alice');
  expect(unreadCount).toBe(2);
  expect(notifications.map(({ type, title, message, data }) => ({ type, title, message, data }))).toEqual(
    expect.arrayContaining([
      {
        type: 'MESSAGE_RECEIVED',
        title: 'New messages',
        message: 'You have 3 new messages.',
        data: { conversationId: 'c-alice', userId: 'sender', count: 3 },
      },
      {
        type: 'MESSAGE_RECEIVED',
        title: 'New message',
        message: 'You have a new message.',
        data: { conversationId: 'another', userId: 'sender', count: 1 },
      },
    ]),
  );
  expect(notifications).toHaveLength(2);
});

test('a message that comes while the ones before it are looked at is told too', async () => {
  const wait = `insert into waiting_message (user_id, conversation_id, seq, sender_id, look_at) values ('ann', $1, $2, 'sender', $3)`;
  // Not due before it is locked, however long that takes.
  await around.pool.query(wait, ['c-ann', 1, new Date(Date.now() + 3_600_000)]);
  const client = await around.pool.connect();
  try {
    // The look at another conversation blocks on the first message, which is locked here, and the second comes meanwhile.
    await client.query('begin');
    await client.query(`select from waiting_message where user_id = 'ann' for update`);
    await client.query(wait, ['c-ann', 2, new Date()]);
    await around.pool.query(wait, ['another', 1, new Date()]);
    await until(async () => {
      const { rowCount } = await around.pool.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%delete from waiting_message%'`,
      );
      return rowCount !== 0;
    });
    await client.query('commit');
  } finally {
    client.release();
  }
  const counts = async () =>
    (await list('ann')).notifications.map(({ data }) => [data?.['conversationId'], data?.['count']]);
  await until(async () => (await counts()).some(([id, count]) => id === 'c-ann' && count === 2));
  expect(await counts()).toEqual(
    expect.arrayContaining([
      ['c-ann', 2],
      ['another', 1],
    ]),
  );
  expect((await list('ann')).unreadCount).toBe(2);
});

test('the same fact twice counts once', async () => {
  const [data, id] = [sent('bob', 1), uuidv7()];
  await tell(messaging, 'message.sent', data, id);
  await tell(messaging, 'message.sent', data);
  await tell(messaging, 'message.sent', sent('bob', 2));
  await until(async () => (await list('bob')).notifications[0]?.message === 'You have 2 new messages.');
  await settled('bob');
  expect((await list('bob')).notifications.map(({ data: shown }) => shown?.['count'])).toEqual([2]);
});

test('somebody who is there is not notified, but is when it turns out that they are not', async () => {
  statuses.set('carol', 'online');
  await tell(messaging, 'message.sent', sent('carol', 1));
  const waits = async () =>
    (await around.pool.query(`select from waiting_message where user_id = 'carol' and looked = 1`)).rowCount === 1;
  await until(waits);
  expect((await list('carol')).notifications).toEqual([]);
  statuses.set('carol', 'offline');
  await around.pool.query(`update waiting_message set look_at = now() where user_id = 'carol'`);
  await until(async () => (await list('carol')).unreadCount === 1);
  // Looked at twice and there both times: they have it.
  statuses.set('dora', 'away');
  await tell(messaging, 'message.sent', sent('dora', 1));
  await until(
    async () =>
      (await around.pool.query(`select from waiting_message where user_id = 'dora' and looked = 1`)).rowCount === 1,
  );
  await around.pool.query(`update waiting_message set look_at = now() where user_id = 'dora'`);
  await until(
    async () => (await around.pool.query(`select from waiting_message where user_id = 'dora'`)).rowCount === 0,
  );
  expect((await list('dora')).notifications).toEqual([]);
});

test('a message that nobody could look at for a month is told all the same', async () => {
  await around.pool.query(
    `insert into waiting_message (user_id, conversation_id, seq, sender_id, look_at)
     values ('erna', 'c-erna', 1, 'sender', now() - interval '30 days')`,
  );
  await until(async () => (await list('erna')).unreadCount === 1);
  expect((await list('erna')).notifications).toMatchObject([{ type: 'MESSAGE_RECEIVED' }]);
});

test('a read one does not grow: what comes after it is new', async () => {
  await tell(messaging, 'message.sent', sent('erin', 1));
  await until(async () => (await list('erin')).unreadCount === 1);
  const [first] = (await list('erin')).notifications;
  dataOf(await asUser(around, 'erin', 'notification:read', { notificationId: first!.id }));
  await tell(messaging, 'message.sent', sent('erin', 2));
  await until(async () => (await list('erin')).unreadCount === 1);
  expect((await list('erin')).notifications.map(({ message }) => message)).toEqual([
    'You have a new message.',
    'You have a new message.',
  ]);
});

const readUpTo = (userId: string, readUpToSeq: number): FactData<'message.read'> => ({
  conversationId: `c-${userId}`,
  userId,
  otherUserId: 'sender',
  readUpToSeq,
  version: 100,
  readAt: new Date().toISOString(),
});
const deleted = (recipientId: string, seq: number): FactData<'message.deleted'> => ({
  messageId: uuidv7(),
  conversationId: `c-${recipientId}`,
  senderId: 'sender',
  recipientId,
  seq,
  version: 100,
});
const messagesOf = async (userId: string) => (await list(userId)).notifications.map(({ message }) => message);
/** Resolves when the fact, told last, has had its effect on a table of what was heard. */
const heard = (table: 'conversation_read' | 'deleted_message', conversationId: string) =>
  until(
    async () =>
      (await around.pool.query(`select from ${table} where conversation_id = $1`, [conversationId])).rowCount !== 0,
  );

test('reading the conversation reads its notification, and what is left of it shrinks', async () => {
  for (const seq of [1, 2, 3]) await tell(messaging, 'message.sent', sent('kim', seq));
  await until(async () => (await messagesOf('kim'))[0] === 'You have 3 new messages.');
  await tell(messaging, 'message.read', readUpTo('kim', 2));
  await until(async () => (await messagesOf('kim'))[0] === 'You have a new message.');
  expect((await list('kim')).unreadCount).toBe(1);
  await tell(messaging, 'message.read', readUpTo('kim', 3));
  await until(async () => (await list('kim')).unreadCount === 0);
});

test('what is heard of as read or deleted before it is heard of at all is never told', async () => {
  await tell(messaging, 'message.read', readUpTo('leo', 2));
  await tell(messaging, 'message.deleted', deleted('leo', 3));
  await heard('conversation_read', 'c-leo');
  await heard('deleted_message', 'c-leo');
  for (const seq of [1, 2, 3, 4]) await tell(messaging, 'message.sent', sent('leo', seq));
  await until(async () => (await list('leo')).unreadCount === 1);
  await settled('leo');
  expect((await list('leo')).notifications.map(({ data }) => data?.['count'])).toEqual([1]);
});

test('a message that was taken back is counted no more, and with the last one the notification goes', async () => {
  for (const seq of [1, 2]) await tell(messaging, 'message.sent', sent('mia', seq));
  await until(async () => (await messagesOf('mia'))[0] === 'You have 2 new messages.');
  await tell(messaging, 'message.deleted', deleted('mia', 1));
  await until(async () => (await messagesOf('mia'))[0] === 'You have a new message.');
  await tell(messaging, 'message.deleted', deleted('mia', 2));
  await until(async () => (await messagesOf('mia')).length === 0);
  expect((await list('mia')).unreadCount).toBe(0);
});

test('whatever order the facts of a conversation come in, the count is that of what is unread', async () => {
  const facts = [
    ...[1, 2, 3, 4, 5, 6].map(seq => ['message.sent', sent('nora', seq)] as const),
    ['message.read', readUpTo('nora', 2)] as const,
    ['message.deleted', deleted('nora', 5)] as const,
  ];
  for (let round = 0; round < 8; round += 1) {
    const userId = `nora-${round}`;
    const shuffled = facts
      .map(
        ([fact, data]) =>
          [
            fact,
            {
              ...data,
              conversationId: `c-${userId}`,
              ...('recipientId' in data ? { recipientId: userId } : { userId }),
            },
          ] as const,
      )
      .toSorted(() => Math.random() - 0.5);
    for (const [fact, data] of shuffled) {
      await tell(messaging, fact, data as never);
      // Sometimes the look comes in between, sometimes after all of them.
      if (Math.random() < 0.3) await settled(userId);
    }
    await heard('conversation_read', `c-${userId}`);
    await heard('deleted_message', `c-${userId}`);
    await until(
      async () => (await list(userId)).notifications.filter(({ readAt }) => !readAt)[0]?.data?.['count'] === 3,
    );
    expect((await list(userId)).unreadCount).toBe(1);
  }
});

test('a relationship begun or ended is told to both, once, and an overtaken fact is not', async () => {
  const pair = { relationshipId: uuidv7(), clientUserId: 'fred', therapistUserId: 'dr-gina' };
  const change = (version: number, linked: boolean) => ({
    ...pair,
    linked,
    version,
    changedAt: new Date().toISOString(),
  });
  await tell(messaging, 'relationship.changed', change(2, false));
  await until(async () => (await list('fred')).notifications.length === 1);
  await tell(messaging, 'relationship.changed', change(1, true));
  await tell(messaging, 'relationship.changed', change(3, true));
  for (const [userId, other] of [
    ['fred', 'dr-gina'],
    ['dr-gina', 'fred'],
  ] as const) {
    await until(async () => (await list(userId)).notifications.length === 2);
    expect((await list(userId)).notifications.map(({ type, data }) => [type, data])).toEqual([
      ['RELATIONSHIP_STARTED', { userId: other }],
      ['RELATIONSHIP_ENDED', { userId: other }],
    ]);
  }
});

const appointment = (
  clientUserId: string,
  version: number,
  more: Partial<FactData<'appointment.booked'>> = {},
): FactData<'appointment.booked'> => ({
  appointmentId: `a-${clientUserId}`,
  clientUserId,
  therapistId: 'room-1',
  therapistUserId: `dr-${clientUserId}`,
  status: 'confirmed',
  version,
  startTime: '2026-12-01T09:00:00.000Z',
  endTime: '2026-12-01T10:00:00.000Z',
  timeZone: 'Europe/Berlin',
  changedAt: new Date().toISOString(),
  ...more,
});
const typesOf = async (userId: string) => (await list(userId)).notifications.map(({ type }) => type);

test('a change of an appointment is told to the other party, in the zone of who reads it', async () => {
  dataOf(await asService(around, 'profile.set', { userId: 'dr-hugo', timeZone: 'America/New_York' }));
  await tell(appointments, 'appointment.booked', appointment('hugo', 1, { status: 'requested', changedBy: 'hugo' }));
  await until(async () => (await typesOf('dr-hugo')).length === 1);
  await tell(appointments, 'appointment.confirmed', appointment('hugo', 2, { changedBy: 'dr-hugo' }));
  await until(async () => (await typesOf('hugo')).length === 1);
  await tell(appointments, 'appointment.cancelled', appointment('hugo', 3, { status: 'cancelled' }));
  await until(async () => (await typesOf('dr-hugo')).length === 2);
  await until(async () => (await typesOf('hugo')).length === 2);
  expect(await typesOf('hugo')).toEqual(['APPOINTMENT_CANCELLED', 'APPOINTMENT_CONFIRMED']);
  expect(await typesOf('dr-hugo')).toEqual(['APPOINTMENT_CANCELLED', 'APPOINTMENT_REQUESTED']);
  const messageOf = async (userId: string) => (await list(userId)).notifications.at(-1)?.message.replaceAll(/\s/g, ' ');
  expect(await messageOf('hugo')).toBe('The appointment on Tuesday, December 1, 2026 at 10:00 AM was confirmed.');
  expect(await messageOf('dr-hugo')).toBe('An appointment on Tuesday, December 1, 2026 at 4:00 AM was requested.');
});

test('a change that a later one has overtaken is not told, nor the others of a series', async () => {
  await tell(
    appointments,
    'appointment.cancelled',
    appointment('ivan', 3, { status: 'cancelled', changedBy: 'dr-ivan' }),
  );
  await until(async () => (await typesOf('ivan')).length === 1);
  await tell(appointments, 'appointment.confirmed', appointment('ivan', 2, { changedBy: 'dr-ivan' }));
  const batch = { position: 2, count: 2 };
  await tell(
    appointments,
    'appointment.confirmed',
    appointment('ivan', 1, { changedBy: 'dr-ivan', appointmentId: 'other', batch }),
  );
  await tell(
    appointments,
    'appointment.confirmed',
    appointment('ivan', 1, { changedBy: 'dr-ivan', appointmentId: 'last' }),
  );
  await until(async () => (await typesOf('ivan')).includes('APPOINTMENT_CONFIRMED'));
  expect(await typesOf('ivan')).toEqual(['APPOINTMENT_CONFIRMED', 'APPOINTMENT_CANCELLED']);
});

test('a batch is told though its first occurrence alone has changed since, and not once all have', async () => {
  const batch = { position: 1, count: 3 };
  const of = (userId: string, version: number, more: Partial<FactData<'appointment.booked'>>) =>
    appointment(userId, version, { changedBy: `dr-${userId}`, seriesId: 's', ...more });
  const hear = async (fact: 'appointment.booked' | 'appointment.cancelled', data: FactData<typeof fact>) => {
    const id = uuidv7();
    await tell(appointments, fact, data, id);
    await consumed([id]);
  };
  for (const userId of ['lena', 'lara']) {
    await hear('appointment.cancelled', of(userId, 3, { status: 'cancelled' }));
    if (userId === 'lara') await hear('appointment.cancelled', of(userId, 2, { status: 'cancelled', batch }));
    await hear('appointment.booked', of(userId, 1, { batch }));
    await hear('appointment.booked', of(userId, 1, { appointmentId: `b-${userId}`, batch: { position: 2, count: 3 } }));
  }
  expect(await typesOf('lena')).toEqual(['APPOINTMENT_BOOKED', 'APPOINTMENT_CANCELLED']);
  expect(await typesOf('lara')).toEqual(['APPOINTMENT_CANCELLED', 'APPOINTMENT_CANCELLED']);
});

test('nobody is notified of an occurrence that a series was laid out to, but of its changes', async () => {
  const id = uuidv7();
  await tell(appointments, 'appointment.booked', appointment('karl', 1, { extension: true }), id);
  await consumed([id]);
  expect([await typesOf('karl'), await typesOf('dr-karl')]).toEqual([[], []]);
  await tell(appointments, 'appointment.cancelled', appointment('karl', 2, { status: 'cancelled', changedBy: 'karl' }));
  await until(async () => (await typesOf('dr-karl')).length === 1);
  expect(await typesOf('karl')).toEqual([]);
});

test('a reminder is told to each party once, and is gone when the appointment begins', async () => {
  // Both know it by the same id.
  const [reminderId, startTime] = [uuidv7(), new Date(Date.now() + 3_600_000).toISOString()];
  const reminder = (recipient: 'client' | 'therapist', userId: string): FactData<'reminder.sent'> => ({
    reminderId,
    appointmentId: 'a-judy',
    version: 1,
    recipient,
    userId,
    startTime,
    timeZone: 'Europe/Berlin',
    minutesUntil: 60,
    sentAt: new Date().toISOString(),
  });
  const ids = upTo(4).map(() => uuidv7());
  for (const [index, id] of ids.entries()) {
    const data = index % 2 === 0 ? reminder('client', 'judy') : reminder('therapist', 'dr-judy');
    await tell(appointments, 'reminder.sent', data, id);
  }
  await consumed(ids);
  for (const userId of ['judy', 'dr-judy']) {
    const { notifications, unreadCount } = await list(userId);
    expect(notifications).toMatchObject([{ type: 'APPOINTMENT_REMINDER', expiresAt: startTime, data: { reminderId } }]);
    expect(unreadCount).toBe(1);
  }
  await around.pool.query(`update notification set expires_at = now() where user_id = 'judy'`);
  expect(await list('judy')).toMatchObject({ notifications: [], unreadCount: 0 });
  expect((await list('dr-judy')).unreadCount).toBe(1);
});
