import { markersOf, otherSide, setMarkers, userOf, type ConversationRow, type Side } from './conversation.ts';

/** How far a person says that they have read, or got, a conversation. */
export interface Mark {
  readonly kind: 'read' | 'delivered';
  readonly seq: number;
  readonly messageId: string;
  /** The socket that said so. */
  readonly socketId: string | undefined;
}

/** A marker that moved. */
export interface MovedMarker {
  readonly kind: Mark['kind'];
  readonly conversationId: string;
  readonly messageId: string;
  readonly seq: number;
  /** Whose marker it is. */
  readonly userId: string;
  readonly otherUserId: string;
  /** Of the conversation, after this move. */
  readonly version: number;
  readonly at: Date;
  readonly exceptSocket: string | undefined;
}

/** Whether the markers say as much already. */
export function isCovered(row: ConversationRow, side: Side, { kind, seq }: Pick<Mark, 'kind' | 'seq'>): boolean {
  const { readSeq, deliveredSeq } = markersOf(row, side);
  return seq <= (kind === 'read' ? readSeq : deliveredSeq);
}

/**
 * Moves the markers of one person in the row as far as the marks say, never back. Of several marks the farthest
 * counts. Who has read a message has got it, and that is not said once more. `unread` is left to the caller.
 */
export function moveMarkers(row: ConversationRow, side: Side, marks: readonly Mark[], now: Date): MovedMarker[] {
  const moved: MovedMarker[] = [];
  for (const kind of ['read', 'delivered'] as const) {
    const mark = farthest(marks, kind);
    if (!mark || isCovered(row, side, mark)) continue;
    const known = markersOf(row, side);
    setMarkers(row, side, {
      ...known,
      ...(kind === 'read' && { readSeq: mark.seq }),
      deliveredSeq: Math.max(known.deliveredSeq, mark.seq),
    });
    row.version += 1;
    moved.push({
      kind,
      conversationId: row.id,
      messageId: mark.messageId,
      seq: mark.seq,
      userId: userOf(row, side),
      otherUserId: userOf(row, otherSide(side)),
      version: row.version,
      at: now,
      exceptSocket: mark.socketId,
    });
  }
  return moved;
}

/** The mark of that kind which says most. */
export function farthest(marks: readonly Mark[], kind: Mark['kind']): Mark | undefined {
  return marks.reduce<Mark | undefined>(
    (far, mark) => (mark.kind === kind && (!far || mark.seq > far.seq) ? mark : far),
    undefined,
  );
}
