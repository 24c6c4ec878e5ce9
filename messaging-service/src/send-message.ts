import type { KeyObject } from 'node:crypto';
import { Encoded, type UserRequest } from '@rapport/bus';
import { invalidPayload, type Message } from '@rapport/contracts';
import type { Metrics } from '@rapport/service';
import { createBatchQueue } from '@rapport/service/batch-queue';
import type { Outbox } from '@rapport/service/database';
import { requireAllowedHost } from './attachment-hosts.ts';
import type { Draft } from './decide-messages.ts';
import type { DeliverMessage } from './deliver-message.ts';
import { toDraft, writeMessages, type Writing, type WrittenMessage } from './write-messages.ts';

/** A batch takes what is there; these bound how long its transaction keeps its locks. */
const MAX_ITEMS = 512;
const MAX_BYTES = 1_048_576;

/** Commits a message together with those that come at the same time, then publishes it, then replies with it. */
export function createSendMessage(
  options: Writing & {
    hashKey: KeyObject;
    attachmentHosts: readonly string[];
    outbox: Outbox;
    deliverMessage: DeliverMessage;
    metrics: Metrics;
  },
) {
  const { hashKey, outbox, deliverMessage, metrics } = options;
  const queue = createBatchQueue<Draft, WrittenMessage>({
    run: drafts => writeMessages(options, drafts),
    maxItems: MAX_ITEMS,
    maxBytes: MAX_BYTES,
  });
  metrics.gauge('rapport_messages_waiting', 'Messages that wait to be committed.', () => queue.size);
  return async ({ actor, input, socketId }: UserRequest<'message:send'>): Promise<Encoded<Message>> => {
    const senderId = actor.userId;
    if (input.recipientId === senderId) {
      throw invalidPayload({ path: 'recipientId', message: 'must be another user' });
    }
    requireAllowedHost(options.attachmentHosts, input.attachment);
    const draft = toDraft(hashKey, { senderId, input, socketId });
    const { message, news } = await queue.add(draft, keysOf(draft), input.content.length);
    const encoded = new Encoded(message);
    if (news) {
      deliverMessage(encoded, socketId);
      outbox.publish(news);
    }
    return encoded;
  };
}

/** Of one sender messages are written in their order; of one conversation one batch at a time, which the lock would force anyway. */
function keysOf({ senderId, pairKey }: Draft): string[] {
  return [senderId, pairKey];
}
