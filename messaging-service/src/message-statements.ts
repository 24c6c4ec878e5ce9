import { newId } from '@rapport/service';
import {
  asDates,
  byteaArray,
  insertFacts,
  intArray,
  textArray,
  uuidArray,
  type OutboxFact,
  type Querying,
} from '@rapport/service/database';
import type { Pool } from 'pg';
import { validate as isUuid } from 'uuid';
import { participants } from './conversation.ts';
import { clientKey, pairKey, type Draft, type Known, type LockedConversation, type Pairs } from './decide-messages.ts';
import { MESSAGE_COLUMNS, type MessageRow } from './message.ts';

// The statements of the hot path: each works on a whole batch, and is prepared and planned once, possibly while the
// tables are empty. So each leaves the planner no other way than to look up row by row in an index: in a lateral
// subquery, which `offset 0` keeps from being joined in another order, or by `= any` of a list.

/** Anybody may write to anybody. */
export const EVERYBODY: Known['contacts'] = { has: () => true };

/** Locks the conversations in the order of their ids, so that no two batches wait for each other. */
export async function lockConversations(
  client: Querying,
  pairs: Pairs,
): Promise<ReadonlyMap<string, LockedConversation>> {
  const { rows } = await client.query<LockedConversation & { userA: string; userB: string }>({
    name: 'conversations-lock',
    text: `select c.id, c.user_a as "userA", c.user_b as "userB", c.last_seq as "lastSeq", c.version
             from conversation c
            where c.id = any(array(
                    select known.id from unnest($1::text[], $2::text[]) as p (user_a, user_b)
                     cross join lateral (
                       select id from conversation
                        where user_a = p.user_a collate "C" and user_b = p.user_b collate "C" offset 0) as known))
            order by c.id for update`,
    values: columns(pairs),
  });
  return new Map(rows.map(row => [pairKey([row.userA, row.userB]), row]));
}

/** Makes conversations, in an order in which nobody else who makes the same waits for another of them. */
export async function makeConversations(pool: Pool, pairs: Pairs): Promise<void> {
  const sorted = pairs.toSorted((one, other) => (pairKey(one) < pairKey(other) ? -1 : 1));
  await pool.query({
    name: 'conversations-make',
    text: `insert into conversation (id, user_a, user_b)
           select * from unnest($1::uuid[], $2::text[], $3::text[]) on conflict do nothing`,
    values: [uuidArray(sorted.map(() => newId())), ...columns(sorted)],
  });
}

/** Which of the pairs are in a care relationship. */
export async function findContacts(client: Querying, pairs: Pairs): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ userA: string; userB: string }>({
    name: 'contacts-find',
    text: `select p.user_a as "userA", p.user_b as "userB" from unnest($1::text[], $2::text[]) as p (user_a, user_b)
            cross join lateral (
              select linked from care_relationship
               where client_user_id = p.user_a collate "C" and therapist_user_id = p.user_b collate "C"
              union all
              select linked from care_relationship
               where client_user_id = p.user_b collate "C" and therapist_user_id = p.user_a collate "C" offset 0) as r
            where r.linked`,
    values: columns(pairs),
  });
  return new Set(rows.map(({ userA, userB }) => pairKey([userA, userB])));
}

/** The messages that were sent under the drafts' client ids before. */
export async function findSent(client: Querying, drafts: readonly Draft[]): Promise<ReadonlyMap<string, MessageRow>> {
  const named = drafts.filter(({ input }) => input.clientMessageId !== undefined);
  if (named.length === 0) return new Map();
  const { rows } = await client.query<MessageRow>({
    name: 'messages-sent',
    text: `select m.* from unnest($1::text[], $2::text[]) as k (sender_id, client_message_id)
            cross join lateral (
              select ${MESSAGE_COLUMNS} from message m
               where m.sender_id = k.sender_id collate "C" and m.client_message_id = k.client_message_id collate "C"
              offset 0) as m`,
    types: asDates,
    values: [
      textArray(named.map(({ senderId }) => senderId)),
      textArray(named.map(({ input }) => input.clientMessageId)),
    ],
  });
  return new Map(rows.map(row => [clientKey(row.senderId, row.clientMessageId ?? ''), row]));
}

/** Where the messages are that the drafts reply to. */
export async function findTargets(client: Querying, drafts: readonly Draft[]): Promise<ReadonlyMap<string, string>> {
  const ids = drafts.flatMap(({ input }) => (isUuid(input.replyToId) ? [input.replyToId] : []));
  if (ids.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; conversationId: string }>({
    name: 'messages-replied-to',
    text: 'select id, conversation_id as "conversationId" from message where id = any($1::uuid[])',
    values: [uuidArray(ids)],
  });
  return new Map(rows.map(({ id, conversationId }) => [id, conversationId]));
}

export interface NewMessage {
  readonly row: MessageRow & { readonly sealed: Uint8Array; readonly keyId: string };
  readonly fact: OutboxFact<'message.sent'>;
}

/**
 * Numbers the conversations, which are there and locked (an update would leave it to the planner how it finds them), and
 * writes the messages and their facts, all under the locks.
 */
export async function insertMessages(client: Querying, messages: readonly NewMessage[], now: Date): Promise<void> {
  const conversations = latestOf(messages.map(({ row }) => row));
  // Whoever inserts the same client ids at the same time, in other conversations, then waits instead of deadlocking.
  const sorted = messages.toSorted(({ row: one }, { row: other }) => byClientId(one, other));
  const rows = sorted.map(({ row }) => row);
  const inserted = client.query({
    name: 'messages-insert',
    text: `with numbered as (
             insert into conversation as c (last_message_at, id, user_a, user_b, last_seq, version, unread_a, unread_b)
             select $1, n.* from unnest($2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[]) as n
             on conflict (id) do update
               set last_seq = excluded.last_seq, version = excluded.version, last_message_at = excluded.last_message_at,
                   unread_a = c.unread_a + excluded.unread_a, unread_b = c.unread_b + excluded.unread_b)
           insert into message (created_at, revision, id, conversation_id, seq, version, sender_id, recipient_id,
                                message_type, sealed, key_id, body_hash, client_message_id, reply_to_id)
           select $1, 0, m.*
             from unnest($9::uuid[], $10::uuid[], $11::int[], $12::int[], $13::text[], $14::text[], $15::text[],
                         $16::bytea[], $17::text[], $18::bytea[], $19::text[], $20::uuid[]) as m`,
    values: [
      now,
      uuidArray(conversations.map(({ id }) => id)),
      textArray(conversations.map(({ userA }) => userA)),
      textArray(conversations.map(({ userB }) => userB)),
      intArray(conversations.map(({ seq }) => seq)),
      intArray(conversations.map(({ version }) => version)),
      intArray(conversations.map(({ unreadA }) => unreadA)),
      intArray(conversations.map(({ unreadB }) => unreadB)),
      uuidArray(rows.map(({ id }) => id)),
      uuidArray(rows.map(({ conversationId }) => conversationId)),
      intArray(rows.map(({ seq }) => seq)),
      intArray(rows.map(({ version }) => version)),
      textArray(rows.map(({ senderId }) => senderId)),
      textArray(rows.map(({ recipientId }) => recipientId)),
      textArray(rows.map(({ messageType }) => messageType)),
      byteaArray(rows.map(({ sealed }) => sealed)),
      textArray(rows.map(({ keyId }) => keyId)),
      byteaArray(rows.map(({ bodyHash }) => bodyHash)),
      textArray(rows.map(({ clientMessageId }) => clientMessageId)),
      uuidArray(rows.map(({ replyToId }) => replyToId)),
    ],
  });
  const facts = messages.map(({ fact }) => fact);
  await Promise.all([inserted, insertFacts(client, facts)]);
}

function byClientId(one: MessageRow, other: MessageRow): number {
  if (one.senderId !== other.senderId) return one.senderId < other.senderId ? -1 : 1;
  return (one.clientMessageId ?? '') < (other.clientMessageId ?? '') ? -1 : 1;
}

interface Latest {
  readonly id: string;
  readonly userA: string;
  readonly userB: string;
  seq: number;
  version: number;
  /** How many of the messages wait for each of the two. */
  unreadA: number;
  unreadB: number;
}

/** What the conversations are after the rows, which are in their order. */
function latestOf(rows: readonly MessageRow[]): Latest[] {
  const byId = new Map<string, Latest>();
  for (const { conversationId: id, seq, version, senderId, recipientId } of rows) {
    const [userA, userB] = participants(senderId, recipientId);
    const latest = byId.get(id) ?? { id, userA, userB, seq, version, unreadA: 0, unreadB: 0 };
    byId.set(id, latest);
    Object.assign(latest, { seq, version });
    if (recipientId < senderId) latest.unreadA += 1;
    else latest.unreadB += 1;
  }
  return [...byId.values()];
}

function columns(pairs: Pairs): [userA: Buffer, userB: Buffer] {
  return [textArray(pairs.map(([userA]) => userA)), textArray(pairs.map(([, userB]) => userB))];
}
