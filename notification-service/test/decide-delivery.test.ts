import { expect, test } from '@jest/globals';
import { DEFAULT_PREFERENCES, preferencesOf } from '../src/choices.ts';
import { decideDelivery, type DeliveryCase } from '../src/decide-delivery.ts';

const ESCALATE_MS = 300_000;
const NOW = new Date('2026-11-25T22:30:00Z');
const minutesAgo = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);

const pushed = (more: Partial<DeliveryCase> = {}): DeliveryCase => ({
  channel: 'webPush',
  type: 'NEWS',
  critical: false,
  touchedAt: minutesAgo(1),
  over: false,
  preferences: DEFAULT_PREFERENCES,
  timeZone: undefined,
  status: 'offline',
  ...more,
});
const decide = (more: Partial<DeliveryCase>) => decideDelivery(NOW, pushed(more), ESCALATE_MS);
const quietHours = { start: '22:00', end: '07:00' };
const quiet = preferencesOf({ quietHours });

test('who has no session is reached at once', () => {
  expect(decide({ status: 'offline' })).toEqual({ do: 'send' });
  expect(decide({ status: undefined })).toEqual({ do: 'send' });
});

test('who has a session is reached when it is still unread after a while', () => {
  expect(decide({ status: 'online' })).toEqual({ do: 'wait', until: new Date('2026-11-25T22:34:00Z') });
  expect(decide({ status: 'away' })).toEqual({ do: 'wait', until: new Date('2026-11-25T22:34:00Z') });
  expect(decide({ status: 'online', touchedAt: minutesAgo(5) })).toEqual({ do: 'send' });
});

test('what is read, archived or expired is not sent', () => {
  expect(decide({ over: true, critical: true })).toEqual({ do: 'cancel' });
});

test('what its user does not want on this channel is not sent, a critical one neither', () => {
  const preferences = preferencesOf({ types: { NEWS: { webPush: false } } });
  expect(decide({ preferences, critical: true })).toEqual({ do: 'cancel' });
  expect(decide({ preferences, channel: 'email' })).toEqual({ do: 'send' });
  expect(decide({ preferences, type: 'OTHER' })).toEqual({ do: 'send' });
});

test('quiet hours put off to their end, in the zone they name, else of the profile, else UTC', () => {
  expect(decide({ preferences: quiet })).toEqual({ do: 'wait', until: new Date('2026-11-26T07:00:00Z') });
  expect(decide({ preferences: quiet, timeZone: 'Europe/Berlin' })).toEqual({
    do: 'wait',
    until: new Date('2026-11-26T06:00:00Z'),
  });
  const own = preferencesOf({ quietHours: { ...quietHours, timeZone: 'America/New_York' } });
  expect(decide({ preferences: own, timeZone: 'Europe/Berlin' })).toEqual({ do: 'send' });
});

test('quiet hours hold for e-mails too, do-not-disturb for pushes alone', () => {
  expect(decide({ preferences: quiet, channel: 'email' })).toMatchObject({ do: 'wait' });
  const old = { status: 'dnd' as const, touchedAt: minutesAgo(60) };
  expect(decide(old)).toEqual({ do: 'wait', until: new Date('2026-11-25T22:31:00Z') });
  expect(decide({ ...old, channel: 'email' })).toEqual({ do: 'send' });
});

test('a critical one waits for neither', () => {
  expect(decide({ critical: true, preferences: quiet, status: 'dnd', touchedAt: minutesAgo(60) })).toEqual({
    do: 'send',
  });
});
