import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pool } from 'pg';
import type { Database } from '../../libs/service/src/database/connection.ts';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { expireMessages } from '../src/expire-messages.ts';
import { createCountUnread } from '../src/count-unread.ts';
import { writeDeletion, writeEdit } from '../src/write-change.ts';
import { writeMarkers } from '../src/write-markers.ts';
import { messagingDatabase, ormOf, pipelineOf, seal, storedSeqs, upTo, write } from './kit.ts';

let pool: Pool;
let replicas: Pool[];
let orm: Database['orm'];

beforeAll(async () => {
  let url: string;
  ({ pool, url } = await messagingDatabase(await runningPostgres()));
  replicas = [0, 1, 2].map(() => poolOf(url, 4));
  orm = await ormOf(url);
}, START_TIMEOUT_MS);

/** The conversation's row, beside what its messages say. */
async function state(conversationId: string) {
  const { rows } = await pool.query<Record<string, number>>(
    `select c.last_seq, c.version, c.read_seq_a, c.read_seq_b, c.delivered_seq_a, c.delivered_seq_b,
            c.unread_a, c.unread_b, c.expired_seq,
            (select count(*)::int from message m where m.conversation_id = c.id and m.recipient_id = c.user_a
                and m.seq > c.read_seq_a and m.deleted_at is null) as counted_a,
            (select count(*)::int from message m where m.conversation_id = c.id and m.recipient_id = c.user_b
                and m.seq > c.read_seq_b and m.deleted_at is null) as counted_b,
            (select count(*)::int from message m where m.conversation_id = c.id) as messages,
            (select max(m.version) from message m where m.conversation_id = c.id) as last_change
       from conversation c where c.id = $1`,
    [conversationId],
  );
  return rows[0]!;
}

/** One of the two does something to one of the messages there are, the last one counted from the end. */
const action = fc.record({
  what: fc.constantFrom('send', 'send', 'read', 'read', 'delivered', 'edit', 'delete', 'expire'),
  who: fc.constantFrom('a', 'b'),
  which: fc.nat({ max: 30 }),
});

/** What a gateway is told of the users. */
async function unreadOf(userIds: string[]): Promise<number[]> {
  return (await createCountUnread({ pool })({ actor: { gateway: 'g-1' }, input: { userIds } })).counts;
}

test('whatever happens at once over several replicas, unread is what is above the marker, and nothing has moved back', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 60 }), async actions => {
      const [a, b] = [`a-${(run += 1)}`, `b-${run}`];
      const ids: { id: string; sender: string }[] = [];
      const send = async (replica: Pool, from: string) => {
        const { message } = await write(replica, from, { recipientId: from === a ? b : a });
        ids.push({ id: message.id, sender: from });
        return message.conversationId;
      };
      const conversationId = await send(pool, a);
      await send(pool, b);
      const marks: { kind: string; userId: string; seq: number }[] = [];

      const act = async ({ what, who, which }: { what: string; who: string; which: number }, index: number) => {
        const replica = replicas[index % replicas.length]!;
        const userId = who === 'a' ? a : b;
        const target = ids[ids.length - 1 - (which % ids.length)]!;
        const own = ids.find(({ sender }) => sender === userId);
        const change = { messageId: own?.id ?? '', conversationId, socketId: undefined };
        if (what === 'send') await send(replica, userId);
        else if (what === 'edit') {
          // One that was deleted meanwhile may not be edited.
          await writeEdit({ orm, seal }, { ...change, content: `${which}` }).catch(() => undefined);
        } else if (what === 'delete') await writeDeletion({ orm, seal }, change);
        else if (what === 'expire') {
          const { rows } = await pool.query<{ at: Date }>(
            `select created_at as at from message where conversation_id = $1 order by seq offset $2 limit 1`,
            [conversationId, which % 4],
          );
          await expireMessages(replica, rows[0]?.at ?? new Date(0), new Date());
        } else {
          const kind = what as 'read' | 'delivered';
          const { moved } = await writeMarkers(
            pipelineOf(replica),
            [{ kind, userId, messageId: target.id, socketId: undefined }],
            new Date(),
          );
          marks.push(...moved);
        }
      };
      // Several at a time, so that they meet each other.
      for (let start = 0; start < actions.length; start += 6) {
        await Promise.all(actions.slice(start, start + 6).map((each, index) => act(each, start + index)));
      }

      const now = await state(conversationId);
      expect(now).toMatchObject({ unread_a: now['counted_a'], unread_b: now['counted_b'], messages: now['last_seq'] });
      expect(now['version']! >= now['last_change']!).toBe(true);
      expect(now['delivered_seq_a']! >= now['read_seq_a']! && now['delivered_seq_b']! >= now['read_seq_b']!).toBe(true);
      for (const [userId, column] of [
        [a, 'read_seq_a'],
        [b, 'read_seq_b'],
      ] as const) {
        const seqs = marks.filter(mark => mark.userId === userId && mark.kind === 'read').map(({ seq }) => seq);
        expect(now[column]).toBe(Math.max(0, ...seqs));
        expect(new Set(seqs).size).toBe(seqs.length);
      }
      expect(await storedSeqs(pool, conversationId)).toEqual(upTo(now['last_seq']!));
      expect(await unreadOf([a, b, 'nobody'])).toEqual([now['counted_a'], now['counted_b'], 0]);
    }),
    { numRuns: 15 },
  );
}, 120_000);

test('the total of a user is over all of their conversations, on whichever side they are', async () => {
  for (const other of ['aaron', 'zoe', 'zack']) {
    await write(pool, other, { recipientId: 'mike' });
    await write(pool, 'mike', { recipientId: other });
    await write(pool, other, { recipientId: 'mike' });
  }
  expect(await unreadOf(['zoe', 'mike', 'aaron', 'mike'])).toEqual([1, 6, 1, 6]);
  expect(await unreadOf([])).toEqual([]);
});
