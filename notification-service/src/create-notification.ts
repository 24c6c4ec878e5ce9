import type { ServiceRequest } from '@rapport/bus';
import { AppError, type Notification } from '@rapport/contracts';
import { newId } from '@rapport/service';
import { createBatchQueue } from '@rapport/service/batch-queue';
import { asDates, inTransaction } from '@rapport/service/database';
import { keyedHash, sameHash, type Seal } from '@rapport/service/seal';
import type { Pool, PoolClient } from 'pg';
import { wants } from './choices.ts';
import { insertNotifications, type Insertion } from './insert-notifications.ts';
import { lockInboxes } from './inbox.ts';
import type { News, TellNews } from './news.ts';
import { NOTIFICATION_COLUMNS, wordsOf, type NotificationRow, type ShowNotification } from './notification.ts';
import type { FindRecipients, Recipient } from './recipients.ts';

export interface CreateOptions {
  pool: Pool;
  seal: Seal;
  hashKey: string;
  show: ShowNotification;
  findRecipients: FindRecipients;
  tellNews: TellNews;
  escalateAfterMs: number;
}

type Creation = ServiceRequest<'notification.create'>;
/** The row and how its user reads it, or why there is none. */
type Created = { row: NotificationRow; recipient: Recipient } | AppError;

/** A batch takes what is there; these bound how long its transaction keeps its locks. */
const MAX_ITEMS = 200;
const MAX_BYTES = 1_048_576;

const UNIQUE_VIOLATION = '23505';
const IDEMPOTENCY_CONSTRAINT = 'notification_idempotency';

/** Notifies a user. What arrives together is committed together. @throws AppError `CONFLICT` */
export function createCreateNotification(options: CreateOptions) {
  const queue = createBatchQueue<Creation, Created>({
    run: async batch => (await writeBatch(options, batch)).map(result => ({ result })),
    maxItems: MAX_ITEMS,
    maxBytes: MAX_BYTES,
  });
  return async (creation: Creation): Promise<Notification> => {
    const created = await queue.add(creation, [creation.input.userId], creation.input.message.length);
    if (created instanceof AppError) throw created;
    return options.show(created.row, created.recipient.reader);
  };
}

async function writeBatch(options: CreateOptions, batch: readonly Creation[]): Promise<Created[]> {
  // Not in the transaction: locks would wait for presence.
  const recipients = await options.findRecipients(options.pool, [...new Set(batch.map(({ input }) => input.userId))]);
  const write = (creations: readonly Creation[]) =>
    inTransaction(options.pool, client => writeLocked(options, client, creations, recipients));
  const finish = ({ created, news }: Awaited<ReturnType<typeof writeLocked>>): Created[] => {
    options.tellNews(news);
    return created;
  };
  try {
    return finish(await write(batch));
  } catch (error) {
    if (!isIdempotencyViolation(error)) throw error;
  }
  // The same key at the same moment in another batch. One by one, each finds what the other has committed.
  const all: Created[] = [];
  for (const creation of batch) {
    const again = () => write([creation]);
    all.push(...finish(await again().catch((error: unknown) => retryOnViolation(error, again))));
  }
  return all;
}

async function writeLocked(
  options: CreateOptions,
  client: PoolClient,
  batch: readonly Creation[],
  recipients: ReadonlyMap<string, Recipient>,
): Promise<{ created: Created[]; news: News[] }> {
  const changes = new Map<string, number>();
  for (const { input } of batch) changes.set(input.userId, (changes.get(input.userId) ?? 0) + 1);
  const versions = await lockInboxes(client, changes);
  const known = await findByKeys(client, batch);
  const now = new Date();
  const insertions: Insertion[] = [];
  const created = batch.map((creation): Created => {
    const { input } = creation;
    const recipient = recipients.get(input.userId);
    if (!recipient) throw new Error('a recipient was not looked up');
    const bodyHash = hashBody(options.hashKey, input);
    const key = keyOf(creation);
    const first = key === undefined ? undefined : known.get(key);
    if (first) return first.bodyHash && sameHash(first.bodyHash, bodyHash) ? { row: first, recipient } : conflict();
    const row = newRow(creation, bodyHash, options.seal, !wants(recipient.preferences, input.type, 'inApp'), now);
    if (key !== undefined) known.set(key, row);
    const version = (versions.get(input.userId) ?? 0) + 1;
    versions.set(input.userId, version);
    insertions.push({ row, recipient, version });
    return { row, recipient };
  });
  return { created, news: await insertNotifications(client, insertions, options.escalateAfterMs) };
}

function newRow({ actor, input }: Creation, bodyHash: Buffer, seal: Seal, hidden: boolean, now: Date): NotificationRow {
  const id = newId();
  const { title, message, data } = input;
  return {
    id,
    userId: input.userId,
    type: input.type,
    priority: input.priority,
    hidden,
    params: null,
    ...seal.close({ title, message, ...(data && { data }) }, wordsOf(id)),
    groupKey: null,
    seqs: [],
    source: actor.service,
    idempotencyKey: input.idempotencyKey ?? null,
    bodyHash,
    createdAt: now,
    touchedAt: now,
    readAt: null,
    archivedAt: null,
    expiresAt: input.expiresAt === undefined ? null : new Date(input.expiresAt),
  };
}

/** In a snapshot that is taken after the locks, so that a repeat of a moment ago is found. */
async function findByKeys(client: PoolClient, batch: readonly Creation[]): Promise<Map<string, NotificationRow>> {
  const keyed = batch.filter(({ input }) => input.idempotencyKey !== undefined);
  if (keyed.length === 0) return new Map();
  const { rows } = await client.query<NotificationRow>({
    name: 'notification-by-key',
    text: `select ${NOTIFICATION_COLUMNS} from notification n
            where (source, idempotency_key) in (select * from unnest($1::text[], $2::text[]))`,
    types: asDates,
    values: [keyed.map(({ actor }) => actor.service), keyed.map(({ input }) => input.idempotencyKey)],
  });
  return new Map(rows.map(row => [`${row.source} ${row.idempotencyKey}`, row]));
}

/** The name of a service has no space in it. */
function keyOf({ actor, input }: Creation): string | undefined {
  return input.idempotencyKey === undefined ? undefined : `${actor.service} ${input.idempotencyKey}`;
}

function hashBody(key: string, input: Creation['input']): Buffer {
  const { userId, type, title, message, data, priority, expiresAt } = input;
  return keyedHash(key, [userId, type, title, message, sorted(data), priority, expiresAt]);
}

/** JSON whose fields are in one order: the order in which a caller writes them means nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return fields.map(([name, field]) => [name, sorted(field)]);
}

function conflict(): AppError {
  return new AppError('CONFLICT', 'this idempotencyKey belongs to a notification with another body', {
    details: [{ path: 'idempotencyKey', message: 'must be new, or come with the body it first came with' }],
  });
}

function retryOnViolation<T>(error: unknown, again: () => Promise<T>): Promise<T> {
  if (!isIdempotencyViolation(error)) throw error;
  return again();
}

function isIdempotencyViolation(error: unknown): boolean {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === UNIQUE_VIOLATION && constraint === IDEMPOTENCY_CONSTRAINT;
}
