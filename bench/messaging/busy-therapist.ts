import { createLogger } from '../../libs/service/src/logger.ts';
import { connectPipeline } from '../../libs/service/src/database/pipeline.ts';
import { createHashKey, createSeal } from '../../libs/service/src/seal.ts';
import { toDraft, writeMessages } from '../../messaging-service/src/write-messages.ts';
import { inSeconds, sign } from '../../gateway/test/token.ts';
import { connectClient } from '../load/socket-io-client.ts';
import { percentile } from '../measure/statistics.ts';
import { inDatabase } from './databases.ts';
import type { Ground, Server } from './servers.ts';

// Somebody with many conversations, one of which is long, and who looks at them.

const THERAPIST = 'busy-therapist';
const MESSAGES_EACH = 4;
const BATCH = 250;
const SENTENCES = 'x'.repeat(120);

/** Writes the conversations as the service does, so that it can read them. Nobody is told. */
export async function writeConversations(
  { contentKey }: Ground,
  url: string,
  { conversations, longest }: { conversations: number; longest: number },
): Promise<void> {
  const pipeline = connectPipeline({ url, size: 1, log: createLogger('bench', 'warn') });
  const writing = { pipeline, seal: createSeal([contentKey]), open: true };
  const hashKey = createHashKey(contentKey.key);
  const recipients = Array.from({ length: conversations }, (_, index) =>
    Array.from({ length: index === 0 ? longest : MESSAGES_EACH }, () => `client-${index}`),
  ).flat();
  try {
    for (let first = 0; first < recipients.length; first += BATCH) {
      const drafts = recipients.slice(first, first + BATCH).map(recipientId => {
        const input = { recipientId, content: SENTENCES, messageType: 'TEXT' as const };
        return toDraft(hashKey, { senderId: THERAPIST, input, socketId: undefined });
      });
      const failed = (await writeMessages(writing, drafts)).find(outcome => 'error' in outcome);
      if (failed) throw new Error('a message was not written', { cause: failed.error });
    }
  } finally {
    await pipeline.close();
  }
  await inDatabase(url, client => client.query('update outbox set published_at = now() where published_at is null'));
}

export interface Pages {
  /** Milliseconds, half of the pages within it. */
  readonly history: number;
  readonly list: number;
}

const WARM_UP = 100;
const COUNTED = 300;

/** How long the latest page of the long conversation, and of the list of conversations, is waited for. */
export async function lookAtPages({ jwtSecret }: Ground, { targets }: Server): Promise<Pages> {
  const [target] = targets;
  if (!target) throw new RangeError('the server listens nowhere');
  const token = sign({ sub: THERAPIST, role: 'therapist', exp: inSeconds(3_600) }, jwtSecret);
  const client = await connectClient(target, token);
  const wait = async (event: string, input: object): Promise<number> => {
    const latencies: number[] = [];
    for (let count = 0; count < WARM_UP + COUNTED; count += 1) {
      const start = performance.now();
      const ack = await client.request(event, input);
      if (!ack.ok) throw new Error(`${event} was answered with ${ack.error?.code}`);
      if (count >= WARM_UP) latencies.push(performance.now() - start);
    }
    return percentile(latencies, 0.5);
  };
  try {
    return {
      history: await wait('message:history', { userId: 'client-0', limit: 50 }),
      list: await wait('conversation:list', { limit: 50 }),
    };
  } finally {
    client.close();
  }
}
