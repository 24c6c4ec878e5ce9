import { AppError, BATCH_LIMITS } from '@rapport/contracts';

/** One request of a batch, encoded. */
interface Waiting<Reply> {
  readonly body: string;
  readonly bytes: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane<Reply> {
  waiting: Waiting<Reply>[];
  waitingBytes: number;
  isSending: boolean;
}

export interface Lanes<Reply> {
  /**
   * Sends the request together with those that wait in the same lane: at once when the lane is free, otherwise as
   * soon as the batch before it was answered.
   * @param key whose requests stay in their order
   * @throws AppError `UNAVAILABLE` when the lane is full; and whatever the sending of its batch throws
   */
  add(key: string, body: string): Promise<Reply>;
  /** How many requests wait or are under way. */
  readonly size: number;
}

/**
 * A batch leaves when the one before it is back, so the number of lanes bounds how many a gateway has under way. More
 * of them would make smaller batches; fewer, a longer wait for the one whose lane is busy.
 */
const LANES = 16;
/** What may wait in a lane: several batches, so that all lanes together hold less than 128 MB. */
const MAX_WAITING = 4_096;
const MAX_WAITING_BYTES = 8 * 1_048_576;
const RETRY_AFTER_MS = 250;

/** @param send makes one request of several, and resolves to as many replies */
export function createLanes<Reply>(send: (bodies: readonly string[]) => Promise<readonly Reply[]>): Lanes<Reply> {
  const lanes = Array.from({ length: LANES }, (): Lane<Reply> => ({ waiting: [], waitingBytes: 0, isSending: false }));
  let size = 0;

  const drain = async (lane: Lane<Reply>): Promise<void> => {
    lane.isSending = true;
    // What came in the same turn of the event loop goes together: a gateway reads many sockets in one.
    await Promise.resolve();
    while (lane.waiting.length > 0) {
      const batch = takeBatch(lane);
      try {
        const replies = await send(batch.map(({ body }) => body));
        for (const [index, { resolve, reject }] of batch.entries()) {
          const reply = replies[index];
          if (reply === undefined) reject(new Error('a request of a batch has no reply'));
          else resolve(reply);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      size -= batch.length;
    }
    lane.isSending = false;
  };

  return {
    get size() {
      return size;
    },
    add(key, body) {
      const lane = lanes[hash(key) % LANES];
      const bytes = Buffer.byteLength(body);
      if (!lane || lane.waiting.length >= MAX_WAITING || lane.waitingBytes + bytes > MAX_WAITING_BYTES) {
        return Promise.reject(
          new AppError('UNAVAILABLE', 'too many requests are waiting', { retryAfterMs: RETRY_AFTER_MS }),
        );
      }
      const result = new Promise<Reply>((resolve, reject) => lane.waiting.push({ body, bytes, resolve, reject }));
      lane.waitingBytes += bytes;
      size += 1;
      if (!lane.isSending) void drain(lane);
      return result;
    },
  };
}

/** As many of those that wait as one message takes, at least one. */
function takeBatch<Reply>(lane: Lane<Reply>): Waiting<Reply>[] {
  let [count, bytes] = [0, 0];
  for (const item of lane.waiting) {
    if (count === BATCH_LIMITS.items || (count > 0 && bytes + item.bytes > BATCH_LIMITS.bytes)) break;
    count += 1;
    bytes += item.bytes;
  }
  lane.waitingBytes -= bytes;
  return lane.waiting.splice(0, count);
}

/** FNV-1a, 32 bits. */
function hash(key: string): number {
  let value = 0x81_1c_9d_c5;
  for (let index = 0; index < key.length; index += 1) {
    value = Math.imul(value ^ key.charCodeAt(index), 0x01_00_01_93);
  }
  return value >>> 0;
}
