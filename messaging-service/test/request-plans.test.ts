import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { parseInput, serviceRequests, userRequests, type UserInput, type UserRequestName } from '@rapport/contracts';
import { Client, type Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { runningPostgres, START_TIMEOUT_MS } from '../../libs/service/test/kit.ts';
import type { Database } from '../../libs/service/src/database/connection.ts';
import { createRequireContact } from '../src/contact-policy.ts';
import { createHoldConversation, createReleaseConversation } from '../src/hold-conversation.ts';
import { createListConversations } from '../src/list-conversations.ts';
import { createListContacts } from '../src/list-relationships.ts';
import { createReadHistory } from '../src/read-history.ts';
import { createSyncMessages } from '../src/sync-messages.ts';
import { createCountUnread } from '../src/count-unread.ts';
import { writeDeletion, writeEdit } from '../src/write-change.ts';
import { writeMarkers } from '../src/write-markers.ts';
import { createDeleteMessage } from '../src/change-message.ts';
import { draftOf, messagingDatabase, ormOf, pipelineOf, seal, writeAll } from './kit.ts';

const CONVERSATIONS = 8_000;
/** In each of them. */
const MESSAGES = 10;
/** Each has as many of the conversations. */
const THERAPISTS = 100;
const THERAPIST = 'therapist-7';

let pool: Pool;
let orm: Database['orm'];
/** Every statement that any of the requests made, with values of one time. */
const statements = new Map<string, unknown[]>();

beforeAll(async () => {
  let url: string;
  ({ url, pool } = await messagingDatabase(await runningPostgres()));
  await fill(pool);
  orm = await ormOf(url);
  record();
}, START_TIMEOUT_MS);

async function fill(database: Pool): Promise<void> {
  await database.query(
    `insert into conversation (id, user_a, user_b, last_seq, version, last_message_at, unread_a, unread_b)
     select gen_random_uuid(), 'client-' || n, 'therapist-' || n % $3, $2, $2, now(), 0, $2
       from generate_series(1, $1::int) n`,
    [CONVERSATIONS, MESSAGES, THERAPISTS],
  );
  await database.query(
    `insert into message (id, conversation_id, seq, version, sender_id, recipient_id, message_type, body_hash,
                          client_message_id, created_at, deleted_at)
     select gen_random_uuid(), c.id, n, n, c.user_a, c.user_b, 'TEXT', '', c.user_a || n, now(), now()
       from conversation c, generate_series(1, $1::int) n`,
    [MESSAGES],
  );
  await database.query(
    `insert into message_revision (message_id, revision, sealed, key_id, replaced_at)
     select id, 0, '', 'x', now() from message where seq < 5`,
  );
  await database.query(
    `insert into legal_hold (id, conversation_id, placed_at, placed_by, released_at)
     select gen_random_uuid(), id, now(), 'crm', case when n > 1 then now() end
       from conversation, generate_series(1, 3) n`,
  );
  await database.query(
    `insert into care_relationship (id, client_user_id, therapist_user_id, linked, version, since)
     select gen_random_uuid(), user_a, user_b, true, 1, now() from conversation`,
  );
  await database.query('analyze');
}

interface Statement {
  readonly text: string;
  readonly values?: unknown;
}

/** Notes every statement that goes over any connection of this process from now on. */
function record(): void {
  const { query } = Client.prototype as { query: (...args: unknown[]) => unknown };
  Object.assign(Client.prototype, {
    query(this: Client, config: string | Statement | { queries: Statement[] }, ...rest: unknown[]) {
      const asked = typeof config === 'string' ? [{ text: config }] : 'queries' in config ? config.queries : [config];
      for (const { text, values = rest[0] } of asked) {
        if (!/^\s*(select|with|insert|update|delete)/i.test(text)) continue;
        statements.set(text, Array.isArray(values) ? values : []);
      }
      return query.call(this, config, ...rest);
    },
  });
}

const actorOf = (userId: string) => ({ userId, role: 'client' as const });
const request = <N extends UserRequestName>(event: N, userId: string, input: object) => ({
  actor: actorOf(userId),
  input: parseInput(userRequests[event].input, input) as UserInput<N>,
  socketId: 'socket-1',
});

/** Everything that a request of any kind asks of the database. */
async function askEverything(): Promise<void> {
  const { rows } = await pool.query<{ id: string; conversation_id: string }>(
    `select id, conversation_id from message where client_message_id = 'client-7${MESSAGES}'`,
  );
  const [old] = rows;
  const { id, conversation_id: conversationId } = old!;
  statements.clear();

  const sends = [1, 2, 3].map(number =>
    draftOf(`client-${number * THERAPISTS + 7}`, { recipientId: THERAPIST, clientMessageId: uuidv7(), replyToId: id }),
  );
  await writeAll(pool, sends, { open: false });
  const [written] = await writeAll(pool, [draftOf('client-7', { recipientId: THERAPIST, clientMessageId: 'new' })]);
  const made = written && 'result' in written ? written.result.message : undefined;
  const change = { messageId: made!.id, conversationId, socketId: undefined };

  const mark = { userId: THERAPIST, messageId: made!.id, socketId: undefined };
  await writeMarkers(pipelineOf(pool), [{ kind: 'delivered', ...mark }], new Date());
  await writeMarkers(pipelineOf(pool), [{ kind: 'read', ...mark }], new Date());
  await createRequireContact({ policy: 'care-team', pool })(actorOf('client-7'), THERAPIST);
  await writeEdit({ orm, seal }, { ...change, content: 'other' });
  await writeDeletion({ orm, seal }, change);
  const nobody = () => Promise.reject(new Error('not asked'));
  const changing = { orm, seal, requireContact: nobody, outbox: { publish: nobody }, deliverChange: nobody };
  await createDeleteMessage(changing)(request('message:delete', 'client-7', { messageId: made!.id }));

  const history = createReadHistory({ pool, seal });
  await history(request('message:history', THERAPIST, { conversationId }));
  await history(request('message:history', THERAPIST, { userId: 'client-107', beforeSeq: 9 }));
  const list = createListConversations({ pool, seal });
  const { nextCursor } = await list(request('conversation:list', THERAPIST, {}));
  await list(request('conversation:list', THERAPIST, { cursor: nextCursor }));
  const sync = createSyncMessages({ pool, seal });
  await sync(request('message:sync', THERAPIST, { cursors: { [conversationId]: 3 } }));
  await sync(request('message:sync', 'client-7', { cursors: {} }));
  const counted = { userIds: [THERAPIST, 'client-7', 'client-8'] };
  await createCountUnread({ pool })({ actor: { gateway: randomUUID() }, input: counted });
  await createListContacts({ pool })(request('contact:list', 'client-7', {}));

  const actor = { service: 'crm' };
  const which = parseInput(serviceRequests['conversation.hold'].input, { conversationId });
  await createReleaseConversation({ orm })({ actor, input: which });
  await createHoldConversation({ orm })({ actor, input: which });
  const people = parseInput(serviceRequests['conversation.hold'].input, { userIds: ['client-107', THERAPIST] });
  await createHoldConversation({ orm })({ actor, input: people });
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** The tables that the statement would read from the beginning to the end. */
async function scanned(explain: string, values: unknown[]): Promise<string[]> {
  const { rows } = await pool.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(explain, values);
  const [root] = rows[0]!['QUERY PLAN'];
  return nodesOf(root!.Plan).flatMap(node => (node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : []));
}

test('no statement of any request reads a whole table, planned for its values or for any', async () => {
  await askEverything();
  const found: Record<string, string[]> = {};
  const all = [...statements];
  expect(all.length).toBeGreaterThan(25);
  for (const [text, values] of all) {
    const own = await scanned(`explain (format json) ${text}`, values);
    const any = await scanned(`explain (format json, generic_plan) ${text}`, []);
    if (own.length + any.length > 0) found[text] = [...own, ...any];
  }
  expect(found).toEqual({});
}, 60_000);
