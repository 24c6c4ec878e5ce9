import type { Fact } from '@rapport/bus';
import type { PoolClient } from 'pg';
import { cancelDeliveries, changeInbox } from './change-inbox.ts';
import { findOpen } from './message-group.ts';
import type { TellNews } from './news.ts';

// What is read or deleted needs no notice. Facts come in any order, so both are kept for messages still to be heard of.

/** What was read is notified of no more, and a message of it that is heard of later neither. */
export function createForgetReadMessages({ tellNews }: { tellNews: TellNews }) {
  return async ({ data }: Fact<'message.read'>, client: PoolClient): Promise<() => void> => {
    const { userId, conversationId, readUpToSeq } = data;
    const { news } = await changeInbox(client, userId, new Date(), async () => {
      await client.query({
        name: 'conversation-read',
        text: `with over as (
                 delete from waiting_message where user_id = $1 and conversation_id = $2 and seq <= $3)
               insert into conversation_read (user_id, conversation_id, read_up_to_seq) values ($1, $2, $3)
               on conflict (user_id, conversation_id) do update
                 set read_up_to_seq = greatest(conversation_read.read_up_to_seq, excluded.read_up_to_seq)`,
        values: [userId, conversationId, readUpToSeq],
      });
      const open = await findOpen(client, userId, conversationId);
      if (!open) return undefined;
      const left = open.seqs.filter(seq => seq > readUpToSeq);
      if (left.length > 0) {
        if (left.length < open.seqs.length) await keepSeqs(client, open.id, left);
        return undefined;
      }
      await client.query('update notification set read_at = now() where id = $1', [open.id]);
      await cancelDeliveries(client, [open.id]);
      return { readIds: [open.id] };
    });
    return () => tellNews(news);
  };
}

/** A message that its sender took back is not waited for any more. */
export function createForgetDeletedMessage({ tellNews }: { tellNews: TellNews }) {
  return async ({ data }: Fact<'message.deleted'>, client: PoolClient): Promise<() => void> => {
    const { recipientId: userId, conversationId, seq } = data;
    const { news } = await changeInbox(client, userId, new Date(), async () => {
      await client.query({
        name: 'message-deleted',
        text: `with over as (
                 delete from waiting_message where user_id = $3 and conversation_id = $1 and seq = $2)
               insert into deleted_message (conversation_id, seq, heard_at) values ($1, $2, now())
               on conflict do nothing`,
        values: [conversationId, seq, userId],
      });
      const open = await findOpen(client, userId, conversationId);
      if (!open?.seqs.includes(seq)) return undefined;
      const left = open.seqs.filter(other => other !== seq);
      if (left.length > 0) {
        await keepSeqs(client, open.id, left);
        return undefined;
      }
      await client.query('update notification set archived_at = now() where id = $1', [open.id]);
      await cancelDeliveries(client, [open.id]);
      return { archivedIds: [open.id] };
    });
    return () => tellNews(news);
  };
}

async function keepSeqs(client: PoolClient, id: string, seqs: readonly number[]): Promise<void> {
  await client.query({
    name: 'notification-shrink',
    text: 'update notification set seqs = $2 where id = $1',
    values: [id, seqs],
  });
}
