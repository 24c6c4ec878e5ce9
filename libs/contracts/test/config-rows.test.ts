import { describe, expect, test } from '@jest/globals';
import { configRows, PROCESSES, type ConfigRow } from '@rapport/contracts';
import fc from 'fast-check';

const rows = Object.entries<ConfigRow>(configRows);

describe.each(rows)('%s', (name, row) => {
  test('has a name that is an environment variable, and a sentence', () => {
    expect(name).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
    expect(row.summary).toMatch(/^[A-Z`].*[.]$/);
    expect(row.summary.split(' ').length).toBeGreaterThan(3);
  });

  test('is read by somebody, and by nobody twice', () => {
    expect(row.readBy.length).toBeGreaterThan(0);
    expect(new Set(row.readBy).size).toBe(row.readBy.length);
  });

  test('has no default when it is a secret, and otherwise none that is wrong', () => {
    const isRight = row.default === undefined || (!row.secret && row.schema.safeParse(row.default).success);

    expect(isRight).toBe(true);
  });

  test('takes a text or says what would be right, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const messages = row.schema.safeParse(text).error?.issues.map(({ message }) => message) ?? ['fine'];
        expect(messages).not.toEqual([]);
        expect(messages).not.toContain('');
        // A short text turns up in a sentence by chance.
        expect(messages.filter(message => row.secret && text.length > 8 && message.includes(text))).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

test('whatever is a password, a key or a secret by its name is a secret', () => {
  const secret = rows.filter(([name]) => /PASSWORD$|SECRET|(?<!PUBLIC_)KEYS?$|^DATABASE_URL$/.test(name));

  expect(secret.length).toBeGreaterThan(3);
  expect(secret.filter(([, row]) => !row.secret)).toEqual([]);
});

test('every process reads where NATS is and who it is there', () => {
  for (const process of PROCESSES) {
    for (const name of ['NATS_URL', 'NATS_USER', 'NATS_PASSWORD', 'LOG_LEVEL', 'OPS_PORT'] as const) {
      expect(configRows[name].readBy).toContain(process);
    }
  }
});

describe('values that are right, and values that are not', () => {
  const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

  test.each<[keyof typeof configRows, string[], string[]]>([
    ['PORT', ['0', '5000', '65535'], ['', '-1', '65536', '5000.5', '0x10', ' 80', '1e3', 'http', '８０']],
    ['REQUEST_TIMEOUT_MS', ['1', '60000'], ['0', '60001', '5s', '', 'NaN', 'Infinity']],
    ['LOG_LEVEL', ['info', 'silent'], ['INFO', 'verbose', '', '__proto__']],
    ['NATS_URL', ['nats://a:4222', 'tls://b'], ['', 'a:4222', 'http://a', 'nats://', 'javascript:1', 'nats']],
    ['DATABASE_URL', ['postgres://a/b', 'postgresql://u:p@h:1/d'], ['', 'mysql://a/b', 'postgres', 'postgres://']],
    ['JWT_SECRET', ['x'.repeat(32), 'é'.repeat(16)], ['', 'x'.repeat(31), 'é'.repeat(15)]],
    ['CONTACT_POLICY', ['open', 'care-team'], ['', 'OPEN', 'closed']],
    [
      'BODY_HASH_KEY',
      [key(7)],
      ['', 'x'.repeat(44), key(7).slice(1), `${key(7)}\n`, Buffer.alloc(31).toString('base64')],
    ],
    [
      'CONTENT_KEYS',
      [`a:${key(1)}`, `2026-11:${key(1)},2026-05:${key(2)}`],
      ['', 'a', 'a:', `:${key(1)}`, `a:${key(1)},`, `a:${key(1)},a:${key(2)}`, `a b:${key(1)}`, `a:${key(1)}:more`],
    ],
  ])('%s', (name, right, wrong) => {
    const { schema } = configRows[name];

    expect(right.filter(text => !schema.safeParse(text).success)).toEqual([]);
    expect(wrong.filter(text => schema.safeParse(text).success)).toEqual([]);
  });

  test('a number comes as a number, and keys come as a list with the current one first', () => {
    expect(configRows.PORT.schema.parse('5000')).toBe(5_000);
    expect(configRows.CONTENT_KEYS.schema.parse(`b:${key(1)},a:${key(2)}`)).toEqual([
      { id: 'b', key: key(1) },
      { id: 'a', key: key(2) },
    ]);
  });
});
