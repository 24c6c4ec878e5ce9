import { textArray } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { seqRanges } from './seq-ranges.ts';

interface NumberedMessage {
  readonly conversationId: string;
  readonly seq: number;
}

/**
 * Remembers which messages were heard of, in the transaction of what is done about them. A message is known by its
 * conversation and its `seq`; since that has no holes, a conversation is a row with one range, whatever it has seen.
 * @returns those that were not heard of before, each once
 */
export async function hearOf<M extends NumberedMessage>(client: PoolClient, messages: readonly M[]): Promise<M[]> {
  const conversations = [...Map.groupBy(messages, ({ conversationId }) => conversationId)];
  // The lock of the rows and the look at them are one statement, in the order of the ids: two replicas that get facts
  // of the same conversations, new ones too, wait for each other, and none waits for one that waits for it.
  const { rows } = await client.query<{ conversationId: string; seqs: number[] }>({
    name: 'messages-hear',
    text: `with told as (
             select conversation_id, seqs::int4multirange as seqs
               from unnest($1::text[], $2::text[]) as t (conversation_id, seqs)),
           known as (
             insert into conversation_heard as heard (conversation_id, seqs)
             select conversation_id, seqs from told order by conversation_id collate "C"
             on conflict (conversation_id) do update set seqs = heard.seqs + excluded.seqs
             returning heard.conversation_id, old.seqs)
           select conversation_id as "conversationId",
                  array(select generate_series(lower(repeated), upper(repeated) - 1)
                          from unnest(told.seqs * known.seqs) as repeated) as seqs
             from told join known using (conversation_id) where told.seqs && known.seqs`,
    values: [
      textArray(conversations.map(([id]) => id)),
      textArray(conversations.map(([, told]) => seqRanges(told.map(({ seq }) => seq)))),
    ],
  });
  const known = new Map(rows.map(({ conversationId, seqs }) => [conversationId, seqs]));
  return conversations.flatMap(([id, told]) => firsts(told, new Set(known.get(id))));
}

function firsts<M extends NumberedMessage>(messages: readonly M[], known: Set<number>): M[] {
  return messages.filter(({ seq }) => {
    const isKnown = known.has(seq);
    known.add(seq);
    return !isKnown;
  });
}
