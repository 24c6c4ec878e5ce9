import { describe, expect, test } from '@jest/globals';
import { violationsOf } from './checkers.ts';
import type { Acked, Evidence, History, Received, Refused, SeenMessage, Sent, StoredMessage } from './history.ts';

// Evidence made by hand: once as it must be, and then wrong in one way at a time.

type Entry = History[number];

const message = (number: number, more: Partial<SeenMessage> = {}): SeenMessage => ({
  id: `id-${number}`,
  senderId: 'alice',
  recipientId: 'bob',
  conversationId: 'a-b',
  seq: number,
  content: `text ${number}`,
  clientMessageId: `c-${number}`,
  ...more,
});

const sent = (
  at: number,
  { senderId, recipientId, clientMessageId, content }: SeenMessage,
  more: Partial<Sent> = {},
): Sent => ({
  kind: 'sent',
  at,
  user: senderId,
  socket: `${senderId}-1`,
  call: at,
  clientMessageId: clientMessageId ?? '',
  recipientId,
  content: content ?? '',
  ...more,
});

const acked = (at: number, call: Sent, seen: SeenMessage): Acked => ({
  kind: 'acked',
  at,
  user: call.user,
  socket: call.socket,
  call: call.call,
  message: seen,
});

const refused = (at: number, { user, socket, call }: Sent, code: string): Refused => ({
  kind: 'refused',
  at,
  user,
  socket,
  call,
  code,
});

const received = (at: number, seen: SeenMessage, more: Partial<Received> = {}): Received => ({
  kind: 'received',
  at,
  user: seen.recipientId,
  socket: `${seen.recipientId}-1`,
  event: 'message:received',
  message: seen,
  ...more,
});

const row = ({ id, conversationId, seq, senderId, recipientId, clientMessageId }: SeenMessage): StoredMessage => ({
  id,
  conversationId,
  seq,
  senderId,
  recipientId,
  clientMessageId: clientMessageId ?? null,
});

/** Sends, is acked, is delivered, one after the other: 10, 11, 12; 20, 21, 22 … */
const exchange = (seen: SeenMessage): Entry[] => {
  const call = sent(10 * seen.seq, seen);
  return [call, acked(call.at + 1, call, seen), received(call.at + 2, seen)];
};

const MESSAGES = [message(1), message(2), message(3, { senderId: 'bob', recipientId: 'alice' })] as const;

const GOOD: Evidence = {
  history: MESSAGES.flatMap(exchange),
  stored: MESSAGES.map(row),
  facts: MESSAGES.map(({ id }) => id),
  views: ['alice', 'bob'].map(user => ({ user, messages: MESSAGES })),
  faults: [],
};

/** Which checkers complain. */
const complaining = (evidence: Partial<Evidence>): string[] => Object.keys(violationsOf({ ...GOOD, ...evidence }));
const also = (...entries: Entry[]): Pick<Evidence, 'history'> => ({
  history: [...GOOD.history, ...entries].toSorted((a, b) => a.at - b.at),
});
const changed = (id: string, more: Partial<StoredMessage>): StoredMessage[] =>
  GOOD.stored.map(stored => (stored.id === id ? { ...stored, ...more } : stored));

const [first, second, third] = MESSAGES;

describe('nothing is wrong with', () => {
  test('messages that are acked, stored, delivered and shown as they were sent', () => {
    expect(violationsOf(GOOD)).toEqual({});
  });

  test('a message that is sent again, over another socket too, and acked as the first', () => {
    const again = sent(15, first, { socket: 'alice-2' });
    expect(complaining(also(again, acked(16, again, first)))).toEqual([]);
  });

  test('a send that nobody answered, whether it is stored or not', () => {
    const open = sent(40, message(4));
    expect(complaining(also(open))).toEqual([]);
    const stored = [...GOOD.stored, row(message(4))];
    const views = GOOD.views.map(view => ({ ...view, messages: [...MESSAGES, message(4)] }));
    expect(complaining({ ...also(open), stored, views, facts: [...GOOD.facts, 'id-4'] })).toEqual([]);
  });

  test('a send that was refused, and one under a key that belongs to another message', () => {
    const late = sent(40, message(4));
    const forked = sent(41, message(1, { recipientId: 'carol', content: 'text for carol' }));
    expect(complaining(also(late, refused(42, late, 'UNAVAILABLE'), forked, refused(43, forked, 'CONFLICT')))).toEqual(
      [],
    );
  });

  test('the copy that the other sockets of the sender get', () => {
    expect(complaining(also(received(13, first, { event: 'message:sent', user: 'alice', socket: 'alice-2' })))).toEqual(
      [],
    );
  });

  test('a delivery that comes again after a failure, or late because of one', () => {
    const faults = [{ name: 'nats-server', from: 21.5, to: 25 }];
    expect(complaining({ ...also(received(30.5, second)), faults })).toEqual([]);
  });

  test('messages of one socket whose order is open, because one of them was sent twice', () => {
    const early = sent(9, second, { call: 9 });
    expect(complaining(also(early))).toEqual([]);
  });
});

describe('it is seen that', () => {
  test('an acked message is not stored', () => {
    const evidence = { stored: GOOD.stored.slice(0, 2), views: [], facts: GOOD.facts.slice(0, 2) };
    expect(violationsOf({ ...GOOD, ...evidence })).toMatchObject({
      ackedIsStored: ['bob/c-3 (id-3) was acked and is not stored'],
    });
  });

  test.each([
    ['seq', { seq: 9 }],
    ['conversationId', { conversationId: 'x' }],
    ['recipientId', { recipientId: 'mallory' }],
    ['clientMessageId', { clientMessageId: null }],
  ])('it is stored with another %s than it was acked with', (field, more) => {
    const found = violationsOf({ ...GOOD, stored: changed('id-3', more) });
    expect(found['ackedIsStored']).toEqual([`bob/c-3 (id-3) was acked with another ${field} than is stored`]);
  });

  test('a message is stored twice, under ids of their own', () => {
    const twice = message(4, { clientMessageId: 'c-1', content: 'text 1' });
    const found = violationsOf({ ...GOOD, stored: [...GOOD.stored, row(twice)] });
    expect(found['storedOnce']).toEqual(['alice/c-1 is stored 2 times']);
  });

  test('a retry was acked as another message', () => {
    const again = sent(40, first);
    expect(complaining(also(again, acked(41, again, { ...first, id: 'id-4', seq: 4 })))).toContain('retriesAgree');
  });

  test('an ack is of another message than was sent', () => {
    const again = sent(40, first);
    const wrong = { ...first, content: 'text 2' };
    expect(complaining(also(again, acked(41, again, wrong)))).toEqual(['ackedIsSent']);
  });

  test.each([
    ['a hole', changed('id-3', { seq: 4 })],
    ['a repeat', changed('id-3', { seq: 2 })],
    ['a number that is not the first', GOOD.stored.map(stored => ({ ...stored, seq: stored.seq + 1 }))],
    ['two conversations of the same people', changed('id-1', { conversationId: 'other' })],
    ['other people than before', changed('id-3', { senderId: 'carol' })],
  ])('there is %s in a conversation', (_what, stored) => {
    expect(complaining({ stored })).toContain('numberedDensely');
  });

  test('something is stored that nobody sent, or to somebody it was not sent to', () => {
    const phantom = row(message(4));
    expect(complaining({ stored: [...GOOD.stored, phantom], views: [], facts: [...GOOD.facts, 'id-4'] })).toEqual([
      'storedWasSent',
    ]);
    expect(complaining({ stored: changed('id-3', { recipientId: 'carol' }) })).toContain('storedWasSent');
  });

  test('a message was refused with CONFLICT and is stored all the same', () => {
    const again = sent(40, first);
    expect(complaining(also(again, refused(41, again, 'CONFLICT')))).toEqual(['conflictIsNotStored']);
  });

  test('a committed message is no fact, or a fact is not of any', () => {
    expect(complaining({ facts: ['id-1', 'id-2'] })).toEqual(['storedIsFact']);
    expect(complaining({ facts: [...GOOD.facts, 'id-4'] })).toEqual(['storedIsFact']);
  });

  test('two messages of one socket were numbered the other way round', () => {
    // Under way at the same time: that alone is no wrong order.
    const [one, other] = [sent(40, message(5)), sent(41, message(4))];
    const evidence = {
      ...also(one, other, acked(42, other, message(4)), acked(43, one, message(5))),
      stored: [...GOOD.stored, row(message(4)), row(message(5))],
      facts: [...GOOD.facts, 'id-4', 'id-5'],
      views: [],
    };
    expect(complaining(evidence)).toEqual(['socketOrderKept']);
  });

  test('what was acked before another was sent is numbered after it', () => {
    // Of two sockets, so that it is nobody's own order.
    const [one, other] = [sent(40, message(5)), sent(50, message(4, { senderId: 'bob', recipientId: 'alice' }))];
    const fourth = message(4, { senderId: 'bob', recipientId: 'alice' });
    const evidence = {
      ...also(one, acked(41, one, message(5)), other, acked(51, other, fourth)),
      stored: [...GOOD.stored, row(message(5)), row(fourth)],
      facts: [...GOOD.facts, 'id-4', 'id-5'],
      views: [],
    };
    expect(complaining(evidence)).toEqual(['ackedBeforeSentIsEarlier']);
  });

  test('a delivery is of nothing that is stored, or says something else', () => {
    expect(complaining(also(received(40, message(4))))).toEqual(['deliveredIsStored']);
    const other = { socket: 'bob-2' };
    expect(complaining(also(received(40, { ...first, content: 'text 2' }, other)))).toEqual(['deliveredIsStored']);
    expect(complaining(also(received(40, { ...first, seq: 7 }, other)))).toEqual(['deliveredIsStored']);
  });

  test('a delivery comes to somebody else, or to the socket that sent it', () => {
    expect(complaining(also(received(40, first, { user: 'mallory', socket: 'mallory-1' })))).toEqual([
      'deliveredIsStored',
    ]);
    const back = received(40, first, { event: 'message:sent', user: 'alice', socket: 'alice-1' });
    expect(complaining(also(back))).toContain('deliveredIsStored');
  });

  test('a delivery comes again, or after a later one, and no failure was the reason', () => {
    const again = also(received(40, second));
    expect(complaining(again)).toEqual(['deliveredInOrder']);
    expect(complaining(also(received(40, first)))).toEqual(['deliveredInOrder']);
    // It was over before the message was sent, or began after it had come.
    for (const [from, to] of [
      [5, 15],
      [41, 50],
    ] as const) {
      expect(complaining({ ...again, faults: [{ name: 'gateway', from, to }] })).toEqual(['deliveredInOrder']);
    }
  });

  test.each<[string, readonly SeenMessage[]]>([
    ['misses a message', [first, third]],
    ['shows one twice', [first, first, second, third]],
    ['shows them in another order', [second, first, third]],
    ['shows one that is not stored', [...MESSAGES, message(4)]],
    ['shows another text', [first, { ...second, content: 'text 1' }, third]],
    ['shows nothing', []],
  ])('in the end a client %s', (_what, messages) => {
    expect(complaining({ views: [{ user: 'bob', messages }] })).toEqual(['viewsAreWhole']);
  });

  test('in the end a client shows what is not its own', () => {
    expect(complaining({ views: [{ user: 'mallory', messages: MESSAGES }] })).toEqual(['viewsAreWhole']);
  });
});
