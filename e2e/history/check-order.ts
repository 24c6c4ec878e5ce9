import { callsByKey, keyOf, type Evidence, type Received, type StoredMessage } from './history.ts';

/**
 * What one socket sent one after the other is numbered in that order. Only of messages that one call made: of those
 * that were sent again it is open which of the calls was committed.
 */
export function socketOrderKept(evidence: Evidence): string[] {
  const byKey = new Map(evidence.stored.map(row => [keyOf(row.senderId, row.clientMessageId), row]));
  const sentOnce = [...callsByKey(evidence).values()].flatMap(([first, ...others]) =>
    first?.answer?.kind === 'acked' && others.length === 0 ? [first.sent] : [],
  );
  const lines = Map.groupBy(
    sentOnce.toSorted((a, b) => a.call - b.call),
    sent => `${sent.socket} to ${sent.recipientId}`,
  );
  return [...lines].flatMap(([line, sents]) => {
    const rows = sents.map(sent => byKey.get(keyOf(sent.user, sent.clientMessageId))).filter(row => row !== undefined);
    return rows.flatMap((row, index) => {
      const before = rows[index - 1];
      return before && before.seq > row.seq
        ? [`${line}: ${before.clientMessageId} was sent before ${row.clientMessageId} and is numbered after it`]
        : [];
    });
  });
}

/** Commit order is `seq` order: what was acked before another was even sent has the smaller number. */
export function ackedBeforeSentIsEarlier(evidence: Evidence): string[] {
  const calls = callsByKey(evidence);
  const timesOf = (row: StoredMessage): { sent: number; acked: number } => {
    const of = calls.get(keyOf(row.senderId, row.clientMessageId)) ?? [];
    return {
      sent: Math.min(...of.map(({ sent }) => sent.at)),
      acked: Math.min(...of.flatMap(({ answer }) => (answer?.kind === 'acked' ? [answer.at] : []))),
    };
  };
  const violations: string[] = [];
  for (const rows of Map.groupBy(evidence.stored, row => row.conversationId).values()) {
    let latest: { row: StoredMessage; sent: number } | undefined;
    for (const row of rows.toSorted((a, b) => a.seq - b.seq)) {
      const { sent, acked } = timesOf(row);
      if (latest && acked < latest.sent) {
        violations.push(
          `${row.clientMessageId} was acked before ${latest.row.clientMessageId} was sent, and is numbered after it`,
        );
      }
      if (Number.isFinite(sent) && (!latest || sent > latest.sent)) latest = { row, sent };
    }
  }
  return violations;
}

/**
 * Deliveries come once and in order; one that comes again, or after a later one, was sent before a failure and
 * arrives after it began.
 */
export function deliveredInOrder(evidence: Evidence): string[] {
  const calls = callsByKey(evidence);
  const isExcused = ({ at, message }: Received): boolean => {
    const sent = Math.min(
      ...(calls.get(keyOf(message.senderId, message.clientMessageId)) ?? []).map(call => call.sent.at),
    );
    return evidence.faults.some(fault => sent < fault.to && at > fault.from);
  };
  const received = evidence.history.filter(entry => entry.kind === 'received');
  const streams = Map.groupBy(received, ({ socket, message }) => `${socket} in ${message.conversationId}`);
  return [...streams].flatMap(([stream, entries]) => {
    let last = 0;
    return entries.flatMap(entry => {
      const { seq } = entry.message;
      if (seq > last) {
        last = seq;
        return [];
      }
      return isExcused(entry)
        ? []
        : [`${stream} (${entry.user}): ${seq} came ${seq === last ? 'again' : `after ${last}`}`];
    });
  });
}
