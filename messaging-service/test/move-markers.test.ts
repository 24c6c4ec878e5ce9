import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ConversationRow } from '../src/conversation.ts';
import { markersOf } from '../src/conversation.ts';
import { isCovered, moveMarkers, type Mark } from '../src/move-markers.ts';

const NOW = new Date('2026-11-25T12:00:00Z');

const row = (markers: Partial<ConversationRow> = {}): ConversationRow => ({
  id: 'c',
  userA: 'alice',
  userB: 'bob',
  lastSeq: 100,
  version: 40,
  createdAt: NOW,
  lastMessageAt: NOW,
  readSeqA: 0,
  readSeqB: 0,
  deliveredSeqA: 0,
  deliveredSeqB: 0,
  unreadA: 0,
  unreadB: 0,
  expiredSeq: 0,
  ...markers,
});

const mark = (kind: Mark['kind'], seq: number): Mark => ({ kind, seq, messageId: `m-${seq}`, socketId: `s-${seq}` });

test('many marks become one move of each kind, to the farthest, and reading comes with having got it', () => {
  const conversation = row();
  const marks = [mark('read', 3), mark('delivered', 9), mark('read', 7), mark('delivered', 2)];
  const moved = moveMarkers(conversation, 'B', marks, NOW);
  const both = { conversationId: 'c', userId: 'bob', otherUserId: 'alice', at: NOW };
  expect(moved).toEqual([
    { ...both, kind: 'read', seq: 7, messageId: 'm-7', exceptSocket: 's-7', version: 41 },
    { ...both, kind: 'delivered', seq: 9, messageId: 'm-9', exceptSocket: 's-9', version: 42 },
  ]);
  expect(conversation).toEqual(row({ version: 42, readSeqB: 7, deliveredSeqB: 9 }));
});

test('who reads a message has got it: one move says both', () => {
  const conversation = row({ deliveredSeqA: 2 });
  expect(moveMarkers(conversation, 'A', [mark('read', 5), mark('delivered', 5)], NOW)).toHaveLength(1);
  expect(conversation).toEqual(row({ version: 41, readSeqA: 5, deliveredSeqA: 5 }));
});

test('whatever is marked, in whatever order and portions, nothing moves back and the end is the same', () => {
  const marks = fc.array(
    fc.record({ kind: fc.constantFrom('read' as const, 'delivered' as const), seq: fc.integer({ min: 1, max: 100 }) }),
  );
  fc.assert(
    fc.property(marks, fc.integer({ min: 1, max: 5 }), (wanted, portion) => {
      const conversation = row();
      const whole = wanted.map(({ kind, seq }) => mark(kind, seq));
      for (let start = 0; start < whole.length; start += portion) {
        const known = markersOf(conversation, 'A');
        const version = conversation.version;
        const moved = moveMarkers(conversation, 'A', whole.slice(start, start + portion), NOW);
        const now = markersOf(conversation, 'A');
        expect(now.readSeq >= known.readSeq && now.deliveredSeq >= known.deliveredSeq).toBe(true);
        expect(now.deliveredSeq).toBeGreaterThanOrEqual(now.readSeq);
        expect(moved.map(each => each.version)).toEqual(moved.map((_, index) => version + 1 + index));
      }
      const farthest = (kind: Mark['kind']): number =>
        Math.max(0, ...wanted.filter(each => each.kind === kind).map(({ seq }) => seq));
      expect(markersOf(conversation, 'A')).toMatchObject({
        readSeq: farthest('read'),
        deliveredSeq: Math.max(farthest('read'), farthest('delivered')),
      });
      expect(whole.every(each => isCovered(conversation, 'A', each))).toBe(true);
      expect(markersOf(conversation, 'B')).toEqual({ readSeq: 0, deliveredSeq: 0, unread: 0 });
    }),
  );
});
