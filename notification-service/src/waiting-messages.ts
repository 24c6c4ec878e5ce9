import type { Fact } from '@rapport/bus';
import { intArray, textArray } from '@rapport/service/database';
import type { PoolClient } from 'pg';
import { hasSession, type AskPresence } from './presence.ts';

/**
 * Messages that come within this time are looked at together: more at a time would keep the machine from whoever sends
 * one meanwhile.
 */
export const WAIT_EVERY_MS = 50;
/**
 * Who is shown as being there may have gone a moment ago, or be on a gateway that has died: presence holds on to
 * people for up to 15 s. So a message to somebody who is there is looked at once more.
 */
export const LOOK_AGAIN_MS = 20_000;

/** For how long it is not asked again whether somebody is there: the second look is what counts for them. */
const PRESENT_MS = 1_000;

/**
 * Messages wait for a look at whether their recipients are there (`notify-of-messages.ts`): those of people who are
 * there at this moment have had the first of the two. Facts come in any order: what is read or deleted by now needs
 * none.
 */
export function createWaitForLook({ askPresence }: { askPresence: AskPresence }) {
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

  return async (facts: readonly Fact<'message.sent'>[], client: PoolClient): Promise<void> => {
    const messages = facts.map(({ data }) => data);
    const there = await findPresent(messages.map(({ recipientId }) => recipientId));
    // In order, so that two replicas that get the same facts wait for each other instead of deadlocking.
    await client.query({
      name: 'messages-wait',
      text: `insert into waiting_message (user_id, conversation_id, seq, sender_id, looked, look_at)
             select m.user_id, m.conversation_id, m.seq, m.sender_id, m.looked,
                    clock_timestamp() + m.looked * $6 * interval '1 millisecond'
               from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[])
                      as m (user_id, conversation_id, seq, sender_id, looked)
              where not exists (select from conversation_read r
                                 where r.user_id = m.user_id and r.conversation_id = m.conversation_id
                                   and r.read_up_to_seq >= m.seq)
                and not exists (select from deleted_message d
                                 where d.conversation_id = m.conversation_id and d.seq = m.seq)
              order by m.user_id, m.conversation_id, m.seq
             on conflict do nothing`,
      values: [
        textArray(messages.map(({ recipientId }) => recipientId)),
        textArray(messages.map(({ conversationId }) => conversationId)),
        intArray(messages.map(({ seq }) => seq)),
        textArray(messages.map(({ senderId }) => senderId)),
        intArray(messages.map(({ recipientId }) => (there.has(recipientId) ? 1 : 0))),
        LOOK_AGAIN_MS,
      ],
    });
  };
}
