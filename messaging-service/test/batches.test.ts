import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { AppError } from '@rapport/contracts';
import type { Postgres } from '@rapport/local-stack';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { poolOf, runningPostgres, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import type { Outcome } from '@rapport/service/batch-queue';
import type { WrittenMessage } from '../src/write-messages.ts';
import { countFacts, countRows, draftOf, messagingDatabase, storedSeqs, upTo, writeAll } from './kit.ts';

let postgres: Postgres;
let pool: Pool;
let url: string;

beforeAll(async () => {
  postgres = await runningPostgres();
}, START_TIMEOUT_MS);

beforeEach(async () => {
  ({ pool, url } = await messagingDatabase(postgres));
});

const codeOf = (outcome: Outcome<WrittenMessage>): string =>
  'result' in outcome ? 'OK' : outcome.error instanceof AppError ? outcome.error.code : 'INTERNAL';

function messageOf(outcome: Outcome<WrittenMessage> | undefined) {
  if (!outcome || 'error' in outcome) throw new Error('it was not written', { cause: outcome?.error });
  return outcome.result.message;
}

async function link(client: string, therapist: string): Promise<void> {
  await pool.query(
    `insert into care_relationship (id, client_user_id, therapist_user_id, linked, version, since)
     values (gen_random_uuid(), $1, $2, true, 1, now())`,
    [client, therapist],
  );
}

test('messages that break a rule, each a different one, do not concern their neighbours', async () => {
  await link('alice', 'bob');
  const [outcome] = await writeAll(pool, [draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-1' })]);
  const first = messageOf(outcome);
  const drafts = [
    draftOf('alice', { recipientId: 'bob', content: 'one' }),
    draftOf('alice', { recipientId: 'mallory' }),
    draftOf('bob', { recipientId: 'alice', replyToId: 'not-there' }),
    draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-1', content: 'another' }),
    draftOf('bob', { recipientId: 'alice', replyToId: first.id }),
    draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-1' }),
    draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-2' }),
    draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-2' }),
    draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-2', content: 'another' }),
  ];

  const outcomes = await writeAll(pool, drafts, { open: false });

  const codes = ['OK', 'UNAUTHORIZED', 'INVALID_PAYLOAD', 'CONFLICT', 'OK', 'OK', 'OK', 'OK', 'CONFLICT'];
  expect(outcomes.map(codeOf)).toEqual(codes);
  expect([0, 4, 5, 6, 7].map(index => messageOf(outcomes[index]).seq)).toEqual([2, 3, 1, 4, 4]);
  expect(messageOf(outcomes[5])).toEqual(first);
  expect(messageOf(outcomes[7])).toEqual(messageOf(outcomes[6]));
  expect(await storedSeqs(pool, first.conversationId)).toEqual([1, 2, 3, 4]);
  // A repeat tells nobody again, and where nothing may be said no conversation is made.
  expect(await countFacts(pool)).toBe(4);
  expect(await countRows(pool, 'conversation')).toBe(1);
});

test('one that the database itself does not take fails alone', async () => {
  await pool.query(`alter table message add check (message_type <> 'VIDEO')`);
  const attachment = { url: 'https://files.example/1', name: 'scan.png', mimeType: 'image/png', size: 7 };
  const drafts = upTo(5).map(number =>
    draftOf('alice', { recipientId: 'bob', ...(number === 3 && { messageType: 'VIDEO' as const, attachment }) }),
  );
  const outcomes = await writeAll(pool, drafts);
  expect(outcomes.map(codeOf)).toEqual(['OK', 'OK', 'INTERNAL', 'OK', 'OK']);
  expect(outcomes.filter(each => 'result' in each).map(each => messageOf(each).seq)).toEqual([1, 2, 3, 4]);
});

test('client ids that are taken in other conversations while a batch is written are conflicts, each of them', async () => {
  await writeAll(pool, [draftOf('x', { recipientId: 'y' })]);
  // Somebody else's transactions with the same ids, in a conversation that the batch does not lock.
  const taking = await Promise.all(
    ['alice', 'carol'].map(async (sender, index) => {
      const client = await pool.connect();
      await client.query('begin');
      await client.query(
        `insert into message (id, conversation_id, seq, version, sender_id, recipient_id, message_type, sealed, key_id,
                              body_hash, client_message_id, created_at)
         select gen_random_uuid(), conversation_id, $2, $2, $1, 'y', message_type, sealed, key_id, body_hash, 'c-1', now()
           from message where sender_id = 'x'`,
        [sender, 10 + index],
      );
      return client;
    }),
  );
  const writing = writeAll(
    pool,
    ['alice', 'carol'].map(sender => draftOf(sender, { recipientId: 'bob', clientMessageId: 'c-1' })),
  );
  for (const client of taking) {
    await until(async () => {
      const waiting = await pool.query(`select from pg_locks where locktype = 'transactionid' and not granted`);
      return waiting.rowCount === 1;
    });
    await client.query('commit');
    client.release();
  }
  expect((await writing).map(codeOf)).toEqual(['CONFLICT', 'CONFLICT']);
});

test('a repeat is answered with the first message also when the relationship has ended since', async () => {
  await link('alice', 'bob');
  const draft = draftOf('alice', { recipientId: 'bob', clientMessageId: 'c-1' });
  const [first] = await writeAll(pool, [draft], { open: false });
  await pool.query('update care_relationship set linked = false, ended_at = now()');
  const [repeat, other] = await writeAll(pool, [draft, draftOf('alice', { recipientId: 'bob' })], { open: false });
  expect(messageOf(repeat)).toEqual(messageOf(first));
  expect(codeOf(other!)).toBe('UNAUTHORIZED');
});

test('many new conversations, made in the same moment by several replicas in different orders, are made once', async () => {
  const replicas = upTo(4).map(() => poolOf(url, 2));
  const people = upTo(30).map(number => `user-${number}`);
  const drafts = people.map(recipientId => draftOf('alice', { recipientId }));
  const all = await Promise.all(
    replicas.map((replica, index) => writeAll(replica, index % 2 === 0 ? drafts : drafts.toReversed())),
  );
  expect(all.flat().map(codeOf)).toEqual(all.flat().map(() => 'OK'));
  expect(await countRows(pool, 'conversation')).toBe(30);
  expect(
    all
      .flat()
      .map(each => messageOf(each).seq)
      .toSorted((a, b) => a - b),
  ).toEqual(upTo(4).flatMap(seq => people.map(() => seq)));
});

// What a batch does, said as simply as it can be: one message after the other, in memory.
interface Model {
  readonly linked: ReadonlySet<string>;
  readonly counters: Map<string, number>;
  readonly sent: Map<string, { body: string; seq: number }>;
}

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly content: string;
  readonly clientMessageId?: string | undefined;
}

function sendInModel({ linked, counters, sent }: Model, { from, to, content, clientMessageId }: Sent): string {
  const key = `${from} ${clientMessageId}`;
  const known = clientMessageId === undefined ? undefined : sent.get(key);
  const body = `${to} ${content}`;
  if (known) return known.body === body ? `OK ${known.seq}` : 'CONFLICT';
  const pair = [from, to].toSorted().join(' ');
  if (!linked.has(pair)) return 'UNAUTHORIZED';
  const seq = (counters.get(pair) ?? 0) + 1;
  counters.set(pair, seq);
  if (clientMessageId !== undefined) sent.set(key, { body, seq });
  return `OK ${seq}`;
}

const person = fc.constantFrom('alice', 'bob', 'carol', 'dave');
const sending = fc
  .record({
    from: person,
    to: person,
    content: fc.constantFrom('yes', 'no'),
    clientMessageId: fc.option(fc.constantFrom('c-1', 'c-2', 'c-3'), { nil: undefined }),
  })
  .filter(({ from, to }) => from !== to);
const toDrafts = (batch: readonly Sent[]) =>
  batch.map(({ from, to, content, clientMessageId }) =>
    draftOf(from, { recipientId: to, content, ...(clientMessageId !== undefined && { clientMessageId }) }),
  );
const LINKED = new Set(['alice bob', 'alice carol', 'bob dave']);

async function emptyWithLinks(): Promise<void> {
  await pool.query('truncate conversation, message, outbox, care_relationship cascade');
  for (const pair of LINKED) await link(...(pair.split(' ') as [string, string]));
}

test('batch after batch has the outcomes of one message after the other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(sending, { minLength: 1, maxLength: 12 }), { maxLength: 5 }), async batches => {
      await emptyWithLinks();
      const model: Model = { linked: LINKED, counters: new Map(), sent: new Map() };
      for (const batch of batches) {
        const outcomes = await writeAll(pool, toDrafts(batch), { open: false });
        const seen = outcomes.map(each => ('result' in each ? `OK ${each.result.message.seq}` : codeOf(each)));
        expect(seen).toEqual(batch.map(sent => sendInModel(model, sent)));
      }
      expect(await countRows(pool, 'message')).toBe([...model.counters.values()].reduce((sum, seq) => sum + seq, 0));
      expect(await countRows(pool, 'conversation')).toBe(model.counters.size);
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('whatever several replicas write at once: no hole, no repeat, each client id once, and what was answered is there', async () => {
  const replicas = upTo(3).map(() => poolOf(url, 3));
  const batches = fc.array(fc.array(sending, { minLength: 1, maxLength: 10 }), { minLength: 2, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(batches, async all => {
      await emptyWithLinks();
      const written = await Promise.all(
        all.map((batch, index) => writeAll(replicas[index % replicas.length]!, toDrafts(batch), { open: false })),
      );
      const { rows } = await pool.query<{ holes: number; answered: string[] }>(
        `select (select count(*)::int from conversation c
                  where c.last_seq <> (select count(*) from message m where m.conversation_id = c.id)
                     or c.last_seq <> (select coalesce(max(seq), 0) from message m where m.conversation_id = c.id)
                     or c.unread_a + c.unread_b <> c.last_seq) as holes,
                (select coalesce(array_agg(id::text), '{}') from message) as answered`,
      );
      expect(rows[0]?.holes).toBe(0);
      const outcomes = written.flat();
      const ids = new Set(outcomes.flatMap(each => ('result' in each ? [each.result.message.id] : [])));
      expect([...ids].toSorted()).toEqual(rows[0]?.answered.toSorted());
      for (const [index, sent] of all.flat().entries()) {
        const outcome = outcomes[index]!;
        const isLinked = LINKED.has([sent.from, sent.to].toSorted().join(' '));
        expect(isLinked ? ['OK', 'CONFLICT'] : ['UNAUTHORIZED', 'CONFLICT']).toContain(codeOf(outcome));
        expect('result' in outcome ? outcome.result.message.content : sent.content).toBe(sent.content);
      }
      expect(await countFacts(pool)).toBe(ids.size);
    }),
    { numRuns: 40 },
  );
}, 60_000);
