import { callsByKey, keyOf, type Evidence, type StoredMessage } from './history.ts';

// What the database holds against what the clients were told. Each checker returns a sentence for every violation.

/** Acked = committed: whoever has an ack finds just this message in the database. */
export function ackedIsStored({ history, stored }: Evidence): string[] {
  const byId = new Map(stored.map(row => [row.id, row]));
  return history.flatMap(entry => {
    if (entry.kind !== 'acked') return [];
    const { message } = entry;
    const row = byId.get(message.id);
    if (!row) return [`${nameOf(message)} was acked and is not stored`];
    return differences(message, row).map(field => `${nameOf(message)} was acked with another ${field} than is stored`);
  });
}

/** Whatever is sent again under its `clientMessageId`, there is one of it. */
export function storedOnce({ stored }: Evidence): string[] {
  const byKey = Map.groupBy(stored, row => keyOf(row.senderId, row.clientMessageId));
  const byId = Map.groupBy(stored, row => row.id);
  return [...byKey, ...byId]
    .filter(([, rows]) => rows.length > 1)
    .map(([key, rows]) => `${key} is stored ${rows.length} times`);
}

/** 1, 2, 3 … in every conversation, which belongs to the same two people throughout. */
export function numberedDensely({ stored }: Evidence): string[] {
  const violations: string[] = [];
  for (const [conversation, rows] of Map.groupBy(stored, row => row.conversationId)) {
    const seqs = rows.map(row => row.seq).toSorted((a, b) => a - b);
    const hole = seqs.findIndex((seq, index) => seq !== index + 1);
    if (hole >= 0) violations.push(`${conversation} has ${seqs[hole]} where ${hole + 1} is due`);
    const pairs = new Set(rows.map(row => [row.senderId, row.recipientId].toSorted().join(' and ')));
    if (pairs.size > 1) violations.push(`${conversation} is of ${[...pairs].join(', and of ')}`);
  }
  const conversations = Map.groupBy(stored, row => [row.senderId, row.recipientId].toSorted().join(' and '));
  for (const [pair, rows] of conversations) {
    if (new Set(rows.map(row => row.conversationId)).size > 1) violations.push(`${pair} have two conversations`);
  }
  return violations;
}

/** Nothing is there that nobody sent, and nothing to anybody it was not sent to. */
export function storedWasSent(evidence: Evidence): string[] {
  const calls = callsByKey(evidence);
  return evidence.stored.flatMap(row => {
    const key = keyOf(row.senderId, row.clientMessageId);
    const sent = calls.get(key);
    if (!sent) return [`${key} is stored and was never sent`];
    return sent.some(call => call.sent.recipientId === row.recipientId)
      ? []
      : [`${key} is stored for ${row.recipientId}, to whom it was not sent`];
  });
}

/** However often it is sent, it is the same message: the first one. */
export function retriesAgree(evidence: Evidence): string[] {
  return [...callsByKey(evidence)].flatMap(([key, calls]) => {
    const ids = new Set(calls.flatMap(({ answer }) => (answer?.kind === 'acked' ? [answer.message.id] : [])));
    return ids.size > 1 ? [`${key} was acked as ${[...ids].join(' and as ')}`] : [];
  });
}

/** The key belongs to another body: what was refused for that had no effect. Any other refusal leaves it open. */
export function conflictIsNotStored(evidence: Evidence): string[] {
  const stored = new Set(
    evidence.stored.map(row => `${keyOf(row.senderId, row.clientMessageId)} to ${row.recipientId}`),
  );
  return [...callsByKey(evidence)].flatMap(([key, calls]) =>
    calls.flatMap(({ sent, answer }) => {
      const name = `${key} to ${sent.recipientId}`;
      return answer?.kind === 'refused' && answer.code === 'CONFLICT' && stored.has(name)
        ? [`${name} was refused with CONFLICT and is stored`]
        : [];
    }),
  );
}

/** Every committed message is told to the other services, and nothing else. */
export function storedIsFact({ stored, facts }: Evidence): string[] {
  const [told, there] = [new Set(facts), new Set(stored.map(({ id }) => id))];
  return [
    ...stored.filter(({ id }) => !told.has(id)).map(({ id }) => `${id} is stored and no fact`),
    ...[...told].filter(id => !there.has(id)).map(id => `${id} is a fact and not stored`),
  ];
}

const COMPARED = ['conversationId', 'seq', 'senderId', 'recipientId', 'clientMessageId'] as const;

/** Which fields a client was shown otherwise than they are stored. */
export function differences(seen: Partial<StoredMessage> | object, row: StoredMessage): string[] {
  return COMPARED.filter(field => (seen as Partial<StoredMessage>)[field] !== (row[field] ?? undefined));
}

/** For a sentence about a message. */
export function nameOf({
  id,
  senderId,
  clientMessageId,
}: {
  id: string;
  senderId: string;
  clientMessageId?: string | null | undefined;
}): string {
  return `${keyOf(senderId, clientMessageId)} (${id})`;
}
