import type { Fact } from '@rapport/bus';
import type { PoolClient } from 'pg';

/**
 * A message waits for a look at whether its recipient is there (`notify-of-messages.ts`), for many at once. Facts come
 * in any order: what is read or deleted by now needs none.
 */
export async function waitForLook({ data }: Fact<'message.sent'>, client: PoolClient): Promise<void> {
  await client.query({
    name: 'message-wait',
    text: `insert into waiting_message (user_id, conversation_id, seq, sender_id, look_at)
           select $1, $2, $3, $4, now()
            where not exists (select from conversation_read
                               where user_id = $1 and conversation_id = $2 and read_up_to_seq >= $3)
              and not exists (select from deleted_message where conversation_id = $2 and seq = $3)
           on conflict do nothing`,
    values: [data.recipientId, data.conversationId, data.seq, data.senderId],
  });
}
