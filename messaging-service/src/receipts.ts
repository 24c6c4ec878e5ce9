import type { UserRequest } from '@rapport/bus';
import { AppError, type UserOutput } from '@rapport/contracts';
import type { Outbox, Pipeline } from '@rapport/service/database';
import type { DeliverMarker } from './deliver-marker.ts';
import { writeMarkers, type Marked, type MarkToWrite } from './write-markers.ts';

/** Marks written at once: more would only make the first of them wait. */
const MAX_BATCH = 500;

interface Waiting {
  readonly mark: MarkToWrite;
  readonly resolve: (marked: Marked) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Answers `message:read` and `message:delivered`. What arrives while a batch is being written makes the next one,
 * so the busier it is, the less each costs: many marks of one conversation become one write and one event. Nobody
 * waits for a timer.
 */
export function createReceipts(options: { pipeline: Pipeline; outbox: Outbox; deliverMarker: DeliverMarker }) {
  const { pipeline, outbox, deliverMarker } = options;
  const waiting: Waiting[] = [];
  let isWriting = false;

  const write = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const { outcomes, moved, news } = await writeMarkers(
        pipeline,
        batch.map(({ mark }) => mark),
        new Date(),
      );
      for (const marker of moved) deliverMarker(marker);
      for (const fact of news) outbox.publish(fact);
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome && !(outcome instanceof AppError)) resolve(outcome);
        else reject(outcome);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const drain = async (): Promise<void> => {
    isWriting = true;
    // What came in the same turn of the event loop goes together.
    await new Promise(setImmediate);
    while (waiting.length > 0) await write(waiting.splice(0, MAX_BATCH));
    isWriting = false;
  };

  const mark = (toWrite: MarkToWrite): Promise<Marked> => {
    const marked = new Promise<Marked>((resolve, reject) => waiting.push({ mark: toWrite, resolve, reject }));
    if (!isWriting) void drain();
    return marked;
  };

  return {
    read: ({ actor, input, socketId }: UserRequest<'message:read'>): Promise<UserOutput<'message:read'>> =>
      mark({ kind: 'read', userId: actor.userId, messageId: input.messageId, socketId }),
    delivered: async ({
      actor,
      input,
      socketId,
    }: UserRequest<'message:delivered'>): Promise<UserOutput<'message:delivered'>> => {
      const { version } = await mark({
        kind: 'delivered',
        userId: actor.userId,
        messageId: input.messageId,
        socketId,
      });
      return { version };
    },
  };
}
