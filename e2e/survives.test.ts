import { beforeAll, expect, test } from '@jest/globals';
import type { Bus } from '@rapport/bus';
import type { Stack } from '@rapport/local-stack';
import type { Pool } from 'pg';
import { storedFacts, until } from '../libs/service/test/kit.ts';
import { databaseOf, developerOf, runningStack, STACK_TIMEOUT_MS } from './kit.ts';
import { flow, PAIRS, type Acked } from './traffic.ts';

/** Messages of each pair that are acked before the kill, and that are acked after it. */
const BEFORE = 15;
const AFTER = 15;
const KILL_TIMEOUT_MS = 120_000;

let stack: Stack;
let database: Pool;
let developer: Bus;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'messaging-service': 2 } });
  database = databaseOf(stack);
  developer = await developerOf(stack);
}, STACK_TIMEOUT_MS);

test.each(['gateway-1', 'messaging-service-1', 'messaging-service-2', 'nats-server', 'postgresql'])(
  'kill -9 of %s while messages flow loses nothing that was acked, and everything goes on by itself',
  async name => {
    const program = stack.programs.get(name)!;
    const victim = program.pid;
    const acked: Acked[] = [];
    let acksAfter = Number.POSITIVE_INFINITY;
    const flowing = flow(stack, name, acked, () => acked.length >= acksAfter);
    await until(() => acked.length >= BEFORE * PAIRS);
    program.kill('SIGKILL');
    await program.ready();
    expect(program.pid).not.toBe(victim);
    acksAfter = acked.length + AFTER * PAIRS;
    await flowing;

    const { rows } = await database.query<Acked>(
      `select id, seq, client_message_id as "clientMessageId", conversation_id as "conversationId"
         from message where sender_id like $1 order by conversation_id, seq`,
      [`${name}-%`],
    );
    const stored = new Map(rows.map(row => [row.clientMessageId, row]));
    expect(stored.size).toBe(rows.length);
    for (const { id, seq, clientMessageId, conversationId } of acked) {
      expect(stored.get(clientMessageId)).toEqual({ id, seq, clientMessageId, conversationId });
    }
    const byConversation = Map.groupBy(rows, row => row.conversationId);
    expect(byConversation.size).toBe(PAIRS);
    for (const messages of byConversation.values()) {
      expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1));
    }

    await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
    const facts = new Set((await storedFacts(developer)).map(({ data }) => data['messageId']));
    expect(rows.filter(({ id }) => !facts.has(id))).toEqual([]);
  },
  KILL_TIMEOUT_MS,
);
