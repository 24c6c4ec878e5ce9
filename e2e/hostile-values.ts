import fc from 'fast-check';

// What nobody sends who means well. Each is JSON, or holds binary attachments, and is smaller than a packet may be.

const HOSTILE_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'toJSON',
  'then',
  'length',
];

const hostileText = fc.oneof(
  fc.constantFrom(
    ...HOSTILE_KEYS,
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    '\udfff\ud800',
    '*',
    '>',
    'a.>',
    '../..',
    '\u202e',
    '🫂',
  ),
  fc.constantFrom(
    'x'.repeat(10_001),
    '🫂'.repeat(10_001),
    '%s%n',
    "'; drop table message; --",
    '{"a":1}',
    'NaN',
    '1e999',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const hostileNumber = fc.oneof(
  fc.constantFrom(-0, -1, 0.1, Number.MAX_SAFE_INTEGER + 2, Number.MAX_VALUE, Number.MIN_VALUE, 1e21, -1e308),
  fc.double(),
);

const binary = fc.uint8Array({ maxLength: 16 }).map(bytes => Buffer.from(bytes));

const hostileKey = fc.oneof(fc.constantFrom(...HOSTILE_KEYS), fc.string({ maxLength: 8 }));

/** Own properties, `__proto__` among them: as JSON.parse makes them. */
const asObject = (entries: readonly (readonly [string, unknown])[]): object => {
  const made = {};
  for (const [key, value] of entries) {
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
};

const shallow = fc.oneof(
  hostileText,
  hostileNumber,
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(hostileText, hostileNumber), { maxLength: 3 }),
);

const hostileObject = fc.array(fc.tuple(hostileKey, shallow), { maxLength: 4 }).map(asObject);

const nested = fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.boolean()).map(([depth, inLists]) => {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) value = inLists ? [value] : { a: value };
  return value;
});

const hostileValue = fc.oneof(
  { weight: 6, arbitrary: shallow },
  { weight: 3, arbitrary: hostileObject },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: binary },
);

const id = fc.constantFrom('bob', 'victim-uuid');
const FIELDS = [
  'recipientId',
  'content',
  'messageType',
  'clientMessageId',
  'replyToId',
  'attachment',
  'isTyping',
  'token',
];

/** Almost right: the fields of an event, some of them hostile. */
const almostRight = fc
  .tuple(
    fc.record({ recipientId: id, content: fc.constant('x'), isTyping: fc.boolean(), token: fc.constant('garbage') }),
    fc.array(fc.tuple(fc.constantFrom(...FIELDS), hostileValue), { minLength: 1, maxLength: 3 }),
  )
  .map(([right, wrong]) => ({ ...right, ...asObject(wrong) }));

const attachment = fc
  .record({ url: hostileValue, name: hostileText, mimeType: hostileText, size: hostileNumber }, { requiredKeys: [] })
  .map(wrong => ({ recipientId: 'bob', content: 'x', messageType: 'FILE', attachment: wrong }));

/** What is sent as the payload of an event. */
export const hostileInput: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: hostileValue },
  { weight: 6, arbitrary: almostRight },
  { weight: 2, arbitrary: attachment },
);

/** What comes after the payload, where an ack callback would be. */
export const afterInput: fc.Arbitrary<unknown[]> = fc.oneof(
  { weight: 9, arbitrary: fc.constant<unknown[]>([]) },
  { weight: 1, arbitrary: fc.array(hostileValue, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3_000 }).map(count => Array<unknown>(count).fill(0)) },
);

export const eventName: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('message:send') },
  { weight: 2, arbitrary: fc.constant('message:typing') },
  { weight: 1, arbitrary: fc.constant('auth:refresh') },
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_KEYS, '', 'error', 'message:', 'message:send ', 'session:ready') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }).map(name => `x${name}`) },
);
