import { describe, expect, test } from '@jest/globals';
import { Actor, buildSubject, Id, isId } from '@rapport/contracts';
import fc from 'fast-check';

const HOSTILE: readonly [string, unknown][] = [
  ['a wildcard', '*'],
  ['the rest of a subject', '>'],
  ['two tokens', 'a.b'],
  ['a wildcard at the end', 'a.>'],
  ['an empty text', ''],
  ['65 characters', 'a'.repeat(65)],
  ['a letter beyond ASCII', 'josé'],
  ['a letter that only looks like ASCII', 'аlice'],
  ['full-width digits', '１２３'],
  ['a space', 'a b'],
  ['a space at the end', 'alice '],
  ['a tab', 'a\tb'],
  ['a line break', 'a\nb'],
  ['a line break at the end', 'alice\n'],
  ['a command of the NATS protocol', 'a\r\nPUB x 0\r\n'],
  ['NUL', 'a\0'],
  ['a slash', '../a'],
  ['a system subject', '$SYS'],
  ['a number', 7],
  ['nothing', undefined],
  ['null', null],
  ['a list of one id', ['alice']],
  ['an object that reads as an id', { toString: () => 'alice' }],
  ['a text object', Object('alice')],
  ['a symbol', Symbol('alice')],
  ['true', true],
];

describe.each(HOSTILE)('%s', (_, given) => {
  test('is not an id', () => {
    expect(isId(given)).toBe(false);
    expect(Id.safeParse(given).success).toBe(false);
  });

  test('cannot get into a subject', () => {
    // As it would come from code without types, or from a cast.
    const text = given as string;

    expect(() => buildSubject({ family: 'delivery', to: { user: text }, name: 'message.received' })).toThrow(TypeError);
    expect(() => buildSubject({ family: 'delivery', to: { therapist: text }, name: 'a.b' })).toThrow(TypeError);
  });

  test('cannot be somebody', () => {
    expect(Actor.safeParse({ userId: given, role: 'client' }).success).toBe(false);
  });
});

test.each([
  '*',
  '>',
  '',
  'message',
  'message.',
  '.sent',
  'message.sent.again',
  'message.*',
  '*.sent',
  'message.>',
  'message sent',
  'Message.sent',
  'message..sent',
  'message.sent\n',
  'message\0.sent',
  '-message.sent',
  '7.sent',
  'messäge.sent',
  'message:sent:again',
])('a name like %j cannot get into a subject', name => {
  expect(() => buildSubject({ family: 'fact', name })).toThrow(TypeError);
  expect(() => buildSubject({ family: 'request', caller: 'user', name })).toThrow(TypeError);
  expect(() => buildSubject({ family: 'control', name })).toThrow(TypeError);
  expect(() => buildSubject({ family: 'delivery', to: 'all', name })).toThrow(TypeError);
});

test('the error does not repeat what was given', () => {
  const given = 'a name that nobody should read.';
  const build = () => buildSubject({ family: 'delivery', to: { user: given }, name: 'message.received' });

  expect(build).toThrow(expect.not.objectContaining({ message: expect.stringContaining(given) }));
});

test('a text is an id exactly when it is 1 to 64 of the safe characters', () => {
  const safe = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'.split('');

  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...safe), maxLength: 80 })),
      text => {
        const expected =
          text.length > 0 && text.length <= 64 && text.split('').every(character => safe.includes(character));
        expect(isId(text)).toBe(expected);
        expect(Id.safeParse(text).success).toBe(expected);
      },
    ),
  );
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is an id like any other', id => {
  expect(buildSubject({ family: 'delivery', to: { user: id }, name: 'message.received' })).toBe(
    `deliver.v1.user.${id}.message.received`,
  );
});
