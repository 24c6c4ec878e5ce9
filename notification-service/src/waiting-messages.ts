import type { Fact } from '@rapport/bus';
import type { FactData } from '@rapport/contracts';
import { inTransaction, intArray, textArray } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { hearOf } from './heard-messages.ts';
import { hasSession, type AskPresence } from './presence.ts';
import { seqRanges } from './seq-ranges.ts';

/** Messages that come within this time are looked at together: what that costs is of the batch more than of the message. */
export const WAIT_EVERY_MS = 250;
/**
 * Who is shown as being there may have gone a moment ago, or be on a gateway that has died: presence holds on to
 * people for up to 15 s. So a message to somebody who is there is looked at once more.
 */
export const LOOK_AGAIN_MS = 20_000;

/** For how long it is not asked again whether somebody is there: the second look is what counts for them. */
const PRESENT_MS = 1_000;

type Message = FactData<'message.sent'>;

/**
 * Messages wait for a look at whether their recipients are there (`notify-of-messages.ts`): those of people who are
 * there at this moment have had the first of the two.
 */
export function createWaitForLook({ pool, askPresence }: { pool: Pool; askPresence: AskPresence }) {
  let present = new Set<string>();
  let since = 0;

  const findPresent = async (userIds: readonly string[]): Promise<ReadonlySet<string>> => {
    const now = performance.now();
    if (now - since > PRESENT_MS) [present, since] = [new Set(), now];
    const asked = [...new Set(userIds)].filter(userId => !present.has(userId));
    if (asked.length > 0) {
      for (const [userId, status] of await askPresence(asked)) if (hasSession(status)) present.add(userId);
    }
    return present;
  };

  return async (facts: readonly Fact<'message.sent'>[]): Promise<{ repeated: number }> => {
    const messages = facts.map(({ data }) => data);
    // Before anything is locked: presence may take its time.
    const there = await findPresent(messages.map(({ recipientId }) => recipientId));
    return inTransaction(pool, async client => {
      const fresh = await hearOf(client, messages);
      if (fresh.length > 0) await wait(client, fresh, there);
      return { repeated: facts.length - fresh.length };
    });
  };
}

/**
 * What came together for one recipient in one conversation is one row, under the last of its messages. What is read by
 * now needs no look; what is deleted, or read in part, `notify` leaves out.
 */
async function wait(client: PoolClient, messages: readonly Message[], there: ReadonlySet<string>): Promise<void> {
  const rows = [...Map.groupBy(messages, ({ conversationId, recipientId }) => `${conversationId} ${recipientId}`)].map(
    ([, together]) => rowOf(together),
  );
  await client.query({
    name: 'messages-wait',
    text: `insert into waiting_message (user_id, conversation_id, seq, sender_id, seqs, looked, look_at)
           select m.user_id, m.conversation_id, m.seq, m.sender_id, m.seqs::int4multirange, m.looked,
                  clock_timestamp() + m.looked * $7 * interval '1 millisecond'
             from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::int[])
                    as m (user_id, conversation_id, seq, sender_id, seqs, looked)
            where m.seq > coalesce((select read_up_to_seq from conversation_read r
                                     where r.user_id = m.user_id and r.conversation_id = m.conversation_id), 0)`,
    values: [
      textArray(rows.map(({ recipientId }) => recipientId)),
      textArray(rows.map(({ conversationId }) => conversationId)),
      intArray(rows.map(({ seq }) => seq)),
      textArray(rows.map(({ senderId }) => senderId)),
      textArray(rows.map(({ seqs }) => seqs)),
      intArray(rows.map(({ recipientId }) => (there.has(recipientId) ? 1 : 0))),
      LOOK_AGAIN_MS,
    ],
  });
}

/** @param together at least one */
function rowOf(together: readonly Message[]) {
  const last = together.reduce((one, other) => (other.seq > one.seq ? other : one));
  // Most come alone, and need no range.
  const seqs = together.length === 1 ? null : seqRanges(together.map(({ seq }) => seq));
  return { ...last, seqs };
}
