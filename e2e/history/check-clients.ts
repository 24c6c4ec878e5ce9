import { differences, nameOf } from './check-storage.ts';
import { callsByKey, keyOf, type Call, type Evidence, type SeenMessage, type StoredMessage } from './history.ts';

/** What clients were sent, live: only what is stored, unchanged, and only to those whom it concerns. */
export function deliveredIsStored(evidence: Evidence): string[] {
  const known = knowledgeOf(evidence);
  return evidence.history.flatMap(entry => {
    if (entry.kind !== 'received') return [];
    const { event, message, user, socket } = entry;
    const name = nameOf(message);
    const violations = known.wrongWith(message).map(what => `${event} at ${user}: ${name} ${what}`);
    if (user !== (event === 'message:received' ? message.recipientId : message.senderId)) {
      violations.push(`${event} of ${name} came to ${user}`);
    }
    const calls = known.callsOf(message);
    if (event === 'message:sent' && calls.length > 0 && calls.every(({ sent }) => sent.socket === socket)) {
      violations.push(`${event} of ${name} came to the socket that sent it`);
    }
    return violations;
  });
}

/** What the ack of a send says is what was sent. */
export function ackedIsSent(evidence: Evidence): string[] {
  return [...callsByKey(evidence).values()].flat().flatMap(({ sent, answer }) => {
    if (answer?.kind !== 'acked') return [];
    const { message } = answer;
    const same =
      message.senderId === sent.user &&
      message.recipientId === sent.recipientId &&
      message.clientMessageId === sent.clientMessageId &&
      message.content === sent.content;
    return same ? [] : [`${keyOf(sent.user, sent.clientMessageId)} was acked as another message: ${nameOf(message)}`];
  });
}

/** In the end every client shows everything that is stored of its conversations, once, in order, and nothing else. */
export function viewsAreWhole(evidence: Evidence): string[] {
  const known = knowledgeOf(evidence);
  return evidence.views.flatMap(({ user, messages }) => {
    const own = evidence.stored.filter(row => row.senderId === user || row.recipientId === user);
    const shown = Map.groupBy(messages, message => message.conversationId);
    const conversations = Map.groupBy(own, row => row.conversationId);
    return [...new Set([...shown.keys(), ...conversations.keys()])].flatMap(conversation => {
      const is = shown.get(conversation) ?? [];
      const due = (conversations.get(conversation) ?? []).toSorted((a, b) => a.seq - b.seq);
      const wrong = is.flatMap(message =>
        known.wrongWith(message).map(what => `${user} shows ${nameOf(message)}, which ${what}`),
      );
      const [seen, all] = [is.map(({ seq }) => seq), due.map(({ seq }) => seq)];
      return seen.join() === all.join()
        ? wrong
        : [...wrong, `${user} shows in ${conversation} ${difference(seen, all)}`];
    });
  });
}

function difference(seen: readonly number[], due: readonly number[]): string {
  const missing = due.filter(seq => !seen.includes(seq));
  if (missing.length > 0) return `${seen.length} messages of ${due.length}, without ${missing.slice(0, 5).join(', ')}`;
  if (seen.length > due.length) return `${seen.length} messages where there are ${due.length}`;
  return 'its messages in another order';
}

function knowledgeOf(evidence: Evidence) {
  const byId = new Map<string, StoredMessage>(evidence.stored.map(row => [row.id, row]));
  const byKey = callsByKey(evidence);
  const callsOf = (message: SeenMessage): readonly Call[] =>
    byKey.get(keyOf(message.senderId, message.clientMessageId)) ?? [];
  return {
    callsOf,
    /** What a client must not be shown: a message that is not stored, or not as it is stored or was sent. */
    wrongWith(message: SeenMessage): string[] {
      const row = byId.get(message.id);
      if (!row) return ['is not stored'];
      const wrong = differences(message, row).map(field => `has another ${field} than is stored`);
      const sent = callsOf(message).some(
        call => call.sent.content === message.content && call.sent.recipientId === message.recipientId,
      );
      return sent ? wrong : [...wrong, 'was not sent so'];
    },
  };
}
