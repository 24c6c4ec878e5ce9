import { expect, test } from '@jest/globals';
import { choose, DEFAULT_PREFERENCES, preferencesOf, wants } from '../src/choices.ts';

test('who has chosen nothing has the defaults', () => {
  expect(preferencesOf(undefined)).toEqual(DEFAULT_PREFERENCES);
  expect(preferencesOf({})).toEqual(DEFAULT_PREFERENCES);
});

test('what is left out stays, a type that is named is replaced, null turns quiet hours off', () => {
  const quietHours = { start: '22:00', end: '07:00' };
  const first = choose(undefined, {
    channels: { email: false },
    types: { A: { inApp: false }, B: { email: true } },
    quietHours,
  });
  const second = choose(first, { channels: { webPush: false }, types: { A: { webPush: false } } });
  expect(preferencesOf(second)).toMatchObject({
    channels: { inApp: true, webPush: false, email: false },
    types: { A: { webPush: false }, B: { email: true } },
    quietHours,
  });
  expect(preferencesOf(choose(second, { quietHours: null })).quietHours).toBeNull();
});

test('a type without a choice of its own follows the channels', () => {
  const preferences = preferencesOf({ channels: { email: false }, types: { A: { email: true } } });
  expect([
    wants(preferences, 'A', 'email'),
    wants(preferences, 'B', 'email'),
    wants(preferences, 'B', 'inApp'),
  ]).toEqual([true, false, true]);
});
