import { describe, expect, test } from '@jest/globals';
import { MAX_CONTENT_CHARACTERS, parseInput, userRequests, type ErrorDetail } from '@rapport/contracts';
import fc from 'fast-check';

const { input: schema } = userRequests['message:send'];

const HELLO = { recipientId: 'bob', content: 'hello' };
const ATTACHMENT = { url: 'https://files.example/a.png', name: 'a.png', mimeType: 'image/png', size: 7 };
const IMAGE = { ...HELLO, messageType: 'IMAGE', attachment: ATTACHMENT };

/** What is wrong with an input, as `path: rule`; nothing when all is well. */
function faults(input: unknown): string[] {
  const result = schema.safeParse(input);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('content', () => {
  test.each([
    ['one character', 'x'],
    ['as many as there may be', 'x'.repeat(MAX_CONTENT_CHARACTERS)],
    ['as many, each of two code units', '👋'.repeat(MAX_CONTENT_CHARACTERS)],
    ['spaces around it', '  hello\r\n\t'],
    ['control characters', 'a\u0001\u001B[31m'],
    ['a byte order mark', '\uFEFFhello'],
    ['decomposed letters', 'e\u0301'],
    ['right-to-left marks', '\u202Ehello'],
    ['a family of several characters', '👩‍👩‍👧'],
    ['what looks like markup', '<script>alert(1)</script>'],
    ['the name of a prototype', '__proto__'],
  ])('may be %s, and is kept byte for byte', (_, content) => {
    expect(parseInput(schema, { ...HELLO, content }).content).toBe(content);
  });

  test.each([
    ['empty', ''],
    ['blank', ' \t\r\n\u00A0\u2028'],
    ['one character too long', 'x'.repeat(MAX_CONTENT_CHARACTERS + 1)],
    ['one character of two code units too long', '👋'.repeat(MAX_CONTENT_CHARACTERS + 1)],
    ['huge', 'x'.repeat(5_000_000)],
    ['with NUL', 'a\0b'],
    ['with a lone high surrogate', 'a\uD800'],
    ['with a lone low surrogate', '\uDC00a'],
    ['with surrogates the wrong way round', '\uDC00\uD800'],
    ['missing', undefined],
    ['null', null],
    ['a number', 7],
    ['a list of characters', ['h', 'i']],
    ['an object that reads as text', { toString: () => 'hello', length: 5 }],
  ])('may not be %s', (_, content) => {
    const found = faults({ ...HELLO, content });

    expect(found.length).toBeGreaterThan(0);
    expect(found.every(fault => fault.startsWith('content: '))).toBe(true);
  });

  test('may be blank beside an attachment, and not empty even there', () => {
    expect(faults({ ...IMAGE, content: ' ' })).toEqual([]);
    expect(faults({ ...IMAGE, content: '' })).toEqual(['content: must not be empty']);
  });

  test('is any well-formed text of 1 to 10,000 characters that is not blank and without NUL', () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary-ascii' }),
    );

    fc.assert(
      fc.property(any, content => {
        const isAllowed = content.isWellFormed() && !content.includes('\0') && content.trim() !== '';
        const result = schema.safeParse({ ...HELLO, content });
        expect(result.success ? result.data.content : undefined).toBe(isAllowed ? content : undefined);
      }),
    );
  });
});

describe('attachment', () => {
  test.each(['IMAGE', 'FILE', 'AUDIO', 'VIDEO'])('%s needs one', messageType => {
    expect(faults({ ...IMAGE, messageType })).toEqual([]);
    expect(faults({ ...HELLO, messageType })).toEqual(['attachment: is required for every type but TEXT']);
  });

  test.each([
    ['url', 'http://files.example/a.png'],
    ['url', 'javascript:alert(1)'],
    ['url', 'data:image/png;base64,AAAA'],
    ['url', 'file:///etc/passwd'],
    ['url', '//files.example/a.png'],
    ['url', 'https://'],
    ['url', 'https:files.example'],
    ['url', 'https://user:password@files.example/a.png'],
    ['url', 'https://files.exa\nmple/a.png'],
    ['url', ' https://files.example/a.png'],
    ['url', ''],
    ['url', `https://files.example/${'x'.repeat(2_048)}`],
    ['url', 'https://files.example/\0'],
    ['url', 'https://files.example/\uD800'],
    ['name', ''],
    ['name', 'x'.repeat(256)],
    ['name', 'a\0.png'],
    ['name', '\uDC00'],
    ['mimeType', 'image'],
    ['mimeType', 'image/png; charset=x'],
    ['mimeType', ''],
    ['mimeType', `image/${'x'.repeat(255)}`],
    ['size', -1],
    ['size', 1.5],
    ['size', '7'],
    ['size', Number.NaN],
    ['size', 2 ** 53],
  ])('its %s may not be %j', (field, value) => {
    const found = faults({ ...IMAGE, attachment: { ...ATTACHMENT, [field]: value } });

    expect(found.length).toBeGreaterThan(0);
    expect(found.every(fault => fault.startsWith(`attachment.${field}: `))).toBe(true);
  });

  test.each([
    ['a list', [ATTACHMENT]],
    ['a text', JSON.stringify(ATTACHMENT)],
    ['null', null],
    ['a number', 7],
  ])('may not be %s', (_, attachment) => {
    expect(faults({ ...IMAGE, attachment })).toContainEqual(expect.stringMatching(/^attachment: ./));
  });
});

describe('the whole', () => {
  test('messageType is TEXT when it is left out, and nothing else of that kind', () => {
    expect(parseInput(schema, HELLO)).toEqual({ ...HELLO, messageType: 'TEXT' });
    for (const messageType of ['text', 'SYSTEM', '', null, 0, ['TEXT'], '__proto__', 'constructor']) {
      expect(faults({ ...HELLO, messageType })).toEqual([expect.stringMatching(/^messageType: ./)]);
    }
  });

  test.each(['recipientId', 'clientMessageId', 'replyToId'])('%s is a subject-safe id', field => {
    for (const id of ['*', '>', 'a.b', '', 'a'.repeat(65), 'josé', 'a b', 'a\n', 7, null, ['a']]) {
      expect(faults({ ...HELLO, [field]: id })).toEqual([expect.stringMatching(new RegExp(`^${field}: .`))]);
    }
    expect(faults({ ...HELLO, [field]: 'A-z_9' })).toEqual([]);
  });

  test('unknown fields are ignored and go no further', () => {
    const input = { ...IMAGE, senderId: 'mallory', seq: 9, attachment: { ...ATTACHMENT, virus: true } };

    expect(parseInput(schema, input)).toEqual(IMAGE);
  });

  test('prototype keys are fields like any other: unknown', () => {
    const text = `{"__proto__": {"isAdmin": true}, "constructor": {"prototype": {}}, ${JSON.stringify(HELLO).slice(1)}`;

    const parsed = parseInput(schema, JSON.parse(text));

    expect(Object.keys(parsed).toSorted()).toEqual(['content', 'messageType', 'recipientId']);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect('isAdmin' in parsed).toBe(false);
    expect('isAdmin' in {}).toBe(false);
  });

  test('fields do not come out of a prototype that the input brings', () => {
    expect(faults(JSON.parse(`{"__proto__": ${JSON.stringify(HELLO)}}`))).not.toEqual([]);
  });

  test.each([[undefined], [null], [true], [7], ['hello'], [[]], [[HELLO]], [() => HELLO]])(
    '%p is not an input',
    input => {
      expect(faults(input)).toEqual([expect.stringMatching(/^: ./)]);
    },
  );

  test('whatever comes, it is an input or a list of rules, and the rules never quote it', () => {
    const secret = 'what-alice-told-her-therapist';
    const value = fc.oneof(fc.anything(), fc.constantFrom(secret, [secret], { [secret]: secret }));
    const input = fc.oneof(value, fc.dictionary(fc.constantFrom(...Object.keys(IMAGE), '__proto__'), value));

    fc.assert(
      fc.property(input, given => {
        const result = schema.safeParse(given);
        const details: ErrorDetail[] = result.success
          ? []
          : result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
        expect(result.success).toBe(details.length === 0);
        expect(JSON.stringify(details)).not.toContain(secret);
      }),
      { numRuns: 1_000 },
    );
  });
});
