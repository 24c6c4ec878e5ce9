import { beforeAll, expect, test } from '@jest/globals';
import { parseInput, userRequests } from '@rapport/contracts';
import type { Pool } from 'pg';
import { runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import { createListConversations } from '../src/list-conversations.ts';
import { createReadHistory } from '../src/read-history.ts';
import { createSyncMessages } from '../src/sync-messages.ts';
import { draftOf, messagingDatabase, seal, upTo, writeAll } from './kit.ts';

/** What NATS takes in one message. */
const MAX_PAYLOAD = 1_048_576;
/** The longest text there can be, and the one that is longest as JSON. */
const LONGEST = '\u0001'.repeat(10_000);
/** Ids as long as they may be. */
const ME = 'm'.repeat(64);
const other = (number: number): string => `${number}`.padStart(64, 'x');

let pool: Pool;

beforeAll(async () => {
  ({ pool } = await messagingDatabase(await runningPostgres()));
  // 1,200 conversations, one of them with 60 of the longest messages there can be, and 30 with one.
  await writeAll(
    pool,
    upTo(1_200).map(number => draftOf(other(number), { recipientId: ME, clientMessageId: other(number) })),
  );
  for (const number of upTo(30)) {
    await writeAll(pool, [draftOf(other(number), { recipientId: ME, content: LONGEST })]);
  }
  for (const _ of upTo(60)) await writeAll(pool, [draftOf(other(1), { recipientId: ME, content: LONGEST })]);
}, START_TIMEOUT_MS);

const actor = { userId: ME, role: 'client' } as const;
const bytesOf = (answer: unknown): number => Buffer.byteLength(JSON.stringify(answer));

const sync = (cursors: Record<string, number>, limit = 500) =>
  createSyncMessages({ pool, seal })({
    actor,
    input: parseInput(userRequests['message:sync'].input, { cursors, limit }),
    socketId: undefined,
  });

test('the states of a thousand conversations fit into one answer, with as many of their latest messages as fit too', async () => {
  const answer = await sync({});
  expect(answer.conversations).toHaveLength(1_000);
  expect(answer.hasMore).toBe(false);
  expect(bytesOf(answer)).toBeLessThan(MAX_PAYLOAD * 0.9);
  const shown = answer.conversations.map(({ lastMessage }) => lastMessage !== undefined);
  expect(shown.filter(Boolean).length).toBeGreaterThan(3);
  // None is left out before one that is shown.
  expect(shown).toEqual(shown.toSorted((one, next) => Number(next) - Number(one)));
});

test('everything of 500 conversations comes in pages that fit, each message once, and ends', async () => {
  const first = await sync({});
  const known = Object.fromEntries(first.conversations.slice(0, 500).map(({ id }) => [id, 0]));
  const seen = new Set<string>();
  let count = 0;
  let pages = 0;
  for (let hasMore = true; hasMore; pages += 1) {
    const answer: Awaited<ReturnType<typeof sync>> = await sync(known);
    expect(bytesOf(answer)).toBeLessThan(MAX_PAYLOAD * 0.9);
    for (const { id } of answer.messages) seen.add(id);
    count += answer.messages.length;
    for (const { id, syncedTo } of answer.conversations) {
      if (id in known) known[id] = syncedTo;
    }
    ({ hasMore } = answer);
  }
  // One in each of 500, and the long ones.
  expect(count).toBe(500 + 30 + 60);
  expect(seen.size).toBe(count);
  expect(pages).toBeGreaterThan(10);
});

test('the history of the longest messages comes in pages that fit, without a hole', async () => {
  const read = createReadHistory({ pool, seal });
  const seqs: number[] = [];
  let beforeSeq: number | undefined;
  for (let hasMore = true; hasMore;) {
    const input = parseInput(userRequests['message:history'].input, { userId: other(1), beforeSeq, limit: 200 });
    const answer = await read({ actor, input, socketId: undefined });
    expect(bytesOf(answer)).toBeLessThan(MAX_PAYLOAD / 2);
    seqs.unshift(...answer.messages.map(({ seq }) => seq));
    beforeSeq = answer.messages[0]?.seq;
    ({ hasMore } = answer);
  }
  expect(seqs).toEqual(upTo(62));
});

test('the list of conversations comes in pages that fit, each conversation once', async () => {
  const list = createListConversations({ pool, seal });
  const ids = new Set<string>();
  let count = 0;
  let cursor: string | undefined;
  do {
    const input = parseInput(userRequests['conversation:list'].input, { cursor, limit: 200 });
    const answer = await list({ actor, input, socketId: undefined });
    expect(answer.conversations.length).toBeGreaterThan(0);
    expect(bytesOf(answer)).toBeLessThan(MAX_PAYLOAD / 2);
    for (const { id } of answer.conversations) ids.add(id);
    count += answer.conversations.length;
    cursor = answer.nextCursor;
  } while (cursor !== undefined);
  expect([ids.size, count]).toEqual([1_200, 1_200]);
});

test('the same conversation named in two ways is one', async () => {
  const { conversations } = await sync({});
  const { id, version } = conversations[0]!;
  const answer = await sync({ [id.toUpperCase()]: version - 1, [id]: version - 1 });
  expect(answer.messages).toHaveLength(1);
  expect(answer.conversations.filter(each => each.id === id)).toHaveLength(1);
});
