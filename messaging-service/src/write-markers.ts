import { AppError, type FactData } from '@rapport/contracts';
import {
  inPipelinedTransaction,
  insertFacts,
  newFact,
  type OutboxFact,
  type Pipeline,
  type Querying,
} from '@rapport/service/database';
import { validate as isUuid } from 'uuid';
import { markersOf, notYours, setMarkers, sideOf, userOf, type ConversationRow, type Side } from './conversation.ts';
import { countUnreadAbove, findMarked, lockMarked, updateMarkers } from './marker-statements.ts';
import { farthest, isCovered, moveMarkers, type Mark, type MovedMarker } from './move-markers.ts';

/** What somebody wants to be marked. */
export interface MarkToWrite {
  readonly kind: Mark['kind'];
  readonly userId: string;
  readonly messageId: string;
  readonly socketId: string | undefined;
}

/** How it stands with their markers now. */
export interface Marked {
  readonly conversationId: string;
  readonly readUpToSeq: number;
  readonly unreadCount: number;
  readonly version: number;
}

export interface WrittenMarkers {
  /** For each mark, in order: where it stands, or why it may not be. */
  readonly outcomes: readonly (Marked | AppError)[];
  readonly moved: readonly MovedMarker[];
  /** The outbox rows of the read markers that moved. Those of delivered ones have none: see `deliverMarker`. */
  readonly news: readonly OutboxFact<'message.read'>[];
}

/** A mark whose message was found to be in a conversation of the one who marks. */
interface Resolved {
  readonly mark: Mark;
  readonly row: ConversationRow;
  readonly side: Side;
}

/** The marks of one person in one conversation. */
interface Group {
  readonly conversationId: string;
  readonly side: Side;
  readonly userId: string;
  readonly marks: readonly Mark[];
}

/**
 * Moves the markers of many people in many conversations, in three round trips. What is covered already costs the
 * first one alone, and no lock; what is not is decided under the locks of the conversations.
 */
export async function writeMarkers(
  pipeline: Pipeline,
  toWrite: readonly MarkToWrite[],
  now: Date,
): Promise<WrittenMarkers> {
  const resolved = await resolve(pipeline, toWrite);
  const groups = toGroups(resolved);
  const written =
    groups.length === 0
      ? undefined
      : await inPipelinedTransaction(pipeline, {
          read: client => readLocked(client, groups),
          write: (client, locked) => move(client, groups, locked, now),
        });
  const { rows = new Map<string, ConversationRow>(), moved = [], news = [] } = written ?? {};
  return { outcomes: resolved.map(createOutcome(rows, moved)), moved, news };
}

async function resolve({ pool }: Pipeline, toWrite: readonly MarkToWrite[]): Promise<(Resolved | AppError)[]> {
  const ids = new Set(toWrite.map(({ messageId }) => messageId.toLowerCase()).filter(id => isUuid(id)));
  const found = await findMarked(pool, [...ids]);
  return toWrite.map(({ kind, userId, messageId, socketId }) => {
    const id = messageId.toLowerCase();
    const message = found.get(id);
    const side = message && sideOf(message.row, userId);
    if (!message || !side) return notYours();
    return { mark: { kind, seq: message.seq, messageId: id, socketId }, row: message.row, side };
  });
}

/** What is left to be moved. */
function toGroups(resolved: readonly (Resolved | AppError)[]): Group[] {
  const toMove = resolved.filter(
    (one): one is Resolved => !(one instanceof AppError) && !isCovered(one.row, one.side, one.mark),
  );
  return [...Map.groupBy(toMove, ({ row, side }) => `${row.id} ${side}`).values()].flatMap(group => {
    const [first] = group;
    if (!first) return [];
    const { row, side } = first;
    return [{ conversationId: row.id, side, userId: userOf(row, side), marks: group.map(({ mark }) => mark) }];
  });
}

interface Locked {
  readonly rows: ReadonlyMap<string, ConversationRow>;
  /** What each group that reads will have left to read. */
  readonly unread: ReadonlyMap<Group, number>;
}

/** Both at once: the second statement sees what was committed before the first one had its locks. */
async function readLocked(client: Querying, groups: readonly Group[]): Promise<Locked> {
  const reading = groups.flatMap(group => {
    const mark = farthest(group.marks, 'read');
    return mark ? [{ group, conversationId: group.conversationId, userId: group.userId, seq: mark.seq }] : [];
  });
  const [rows, counts] = await Promise.all([
    lockMarked(client, [...new Set(groups.map(({ conversationId }) => conversationId))]),
    countUnreadAbove(client, reading),
  ]);
  return { rows, unread: new Map(reading.map(({ group }, index) => [group, counts[index] ?? 0])) };
}

function move(client: Querying, groups: readonly Group[], { rows, unread }: Locked, now: Date) {
  const moved = groups.flatMap(group => {
    const row = rows.get(group.conversationId);
    if (!row) return [];
    const moves = moveMarkers(row, group.side, group.marks, now);
    if (moves.some(({ kind }) => kind === 'read')) {
      setMarkers(row, group.side, { ...markersOf(row, group.side), unread: unread.get(group) ?? 0 });
    }
    return moves;
  });
  // Somebody else has moved all of them meanwhile.
  if (moved.length === 0) return { result: { rows, moved, news: [] }, written: Promise.resolve() };
  const changed = new Set(moved.map(({ conversationId }) => conversationId));
  const news = moved.filter(({ kind }) => kind === 'read').map(toFact);
  const written = Promise.all([
    updateMarkers(
      client,
      [...rows.values()].filter(({ id }) => changed.has(id)),
    ),
    insertFacts(client, news),
  ]);
  return { result: { rows, moved, news }, written };
}

function toFact(marker: MovedMarker): OutboxFact<'message.read'> {
  const data: FactData<'message.read'> = {
    conversationId: marker.conversationId,
    userId: marker.userId,
    otherUserId: marker.otherUserId,
    readUpToSeq: marker.seq,
    version: marker.version,
    readAt: marker.at.toISOString(),
  };
  return newFact('message.read', data, marker.at, marker.exceptSocket);
}

/** Where each mark stands, with the version of its own move: the other's that came with it is an event of its own. */
function createOutcome(rows: ReadonlyMap<string, ConversationRow>, moved: readonly MovedMarker[]) {
  const key = (conversationId: string, userId: string, kind: Mark['kind']) => `${conversationId}/${userId}/${kind}`;
  const versions = new Map(
    moved.map(({ conversationId, userId, kind, version }) => [key(conversationId, userId, kind), version]),
  );
  return (one: Resolved | AppError): Marked | AppError => {
    if (one instanceof AppError) return one;
    const row = rows.get(one.row.id) ?? one.row;
    const { readSeq, unread } = markersOf(row, one.side);
    return {
      conversationId: row.id,
      readUpToSeq: readSeq,
      unreadCount: unread,
      version: versions.get(key(row.id, userOf(row, one.side), one.mark.kind)) ?? row.version,
    };
  };
}
