import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { configRows, type ConfigRow } from '@rapport/contracts';
import { ConfigError, loadConfig, type Environment } from '../src/config.ts';
import { temporaryFolder } from './kit.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

const GOOD: Environment = {
  NATS_USER: 'messaging-service',
  NATS_PASSWORD: 'p-nats',
  DATABASE_URL: 'postgresql://messaging:p-database@127.0.0.1:5432/messaging',
  CONTENT_KEYS: `2026-11:${KEY}`,
  BODY_HASH_KEY: KEY,
};

function mistakesOf(environment: Environment): readonly string[] {
  try {
    loadConfig('messaging-service', environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

test('a good environment is converted, with defaults for what is left out', () => {
  expect(loadConfig('messaging-service', { ...GOOD, OPS_PORT: '0', DATABASE_POOL_SIZE: '7' })).toMatchObject({
    OPS_PORT: 0,
    DATABASE_POOL_SIZE: 7,
    LOG_LEVEL: 'info',
    CONTACT_POLICY: 'care-team',
    CONTENT_KEYS: [{ id: '2026-11', key: KEY }],
  });
});

test('a process gets the variables whose rows name it, and no others', () => {
  const config = loadConfig('messaging-service', { ...GOOD, JWT_SECRET: 'not for a service', PATH: '/bin' });
  const own = Object.entries<ConfigRow>(configRows).filter(([, row]) => row.readBy.includes('messaging-service'));
  expect(Object.keys(config).toSorted()).toEqual(own.map(([name]) => name).toSorted());
});

test('an empty variable counts as one that is not set', () => {
  expect(loadConfig('messaging-service', { ...GOOD, LOG_LEVEL: '', CONTENT_KEYS_FILE: '' }).LOG_LEVEL).toBe('info');
  expect(mistakesOf({ ...GOOD, NATS_USER: '' })).toEqual([expect.stringMatching(/^NATS_USER is not set; it must be /)]);
});

test('no secret has a default', () => {
  const secrets = Object.entries<ConfigRow>(configRows).filter(([, row]) => row.secret);
  expect(secrets.map(([name]) => name)).toEqual(
    expect.arrayContaining(['JWT_SECRET', 'NATS_PASSWORD', 'CONTENT_KEYS']),
  );
  expect(secrets.filter(([, row]) => row.default !== undefined)).toEqual([]);
});

describe('mistakes', () => {
  test('are reported all at once, each with the variable, what is wrong and what is right', () => {
    const mistakes = mistakesOf({
      LOG_LEVEL: 'loud',
      OPS_PORT: '70000',
      NATS_URL: 'localhost:4222',
      DATABASE_POOL_SIZE: 'ten',
      CONTENT_KEYS: 'nonsense',
      CONTACT_POLICY: 'anybody',
    });
    const expected = [
      [/^LOG_LEVEL is "loud", and must be one of fatal, error, warn, info, debug, trace, silent\. /],
      [/^NATS_URL is "localhost:4222", and must be a URL such as nats:\/\/127\.0\.0\.1:4222\. /],
      [/^NATS_USER is not set; it must be the name of a NATS user\. /],
      [/^NATS_PASSWORD is not set; it must be the password of NATS_USER\. /],
      [/^OPS_PORT is "70000", and must be a whole number of a port \(0: any free one\) from 0 to 65535\. /],
      [/^DATABASE_URL is not set; it must be a URL such as postgresql:/],
      [/^DATABASE_POOL_SIZE is "ten", and must be a whole number of connections from 3 to 200\. /],
      [/^CONTENT_KEYS must be a list such as /],
      [/^CONTACT_POLICY is "anybody", and must be one of care-team, open\. /],
      [/^BODY_HASH_KEY is not set; it must be 32 random bytes in base64/],
    ];
    for (const [line] of expected) expect(mistakes).toContainEqual(expect.stringMatching(line ?? ''));
    expect(mistakes).toHaveLength(expected.length);
  });

  test('never show a secret', () => {
    const planted = 'p1anted-s3cret';
    const secrets = Object.entries<ConfigRow>(configRows)
      .filter(([, row]) => row.secret)
      .map(([name]) => [name, planted]);
    const environment = { ...GOOD, ...Object.fromEntries(secrets), DATABASE_URL: `mysql://me:${planted}@host/db` };
    expect(mistakesOf(environment).length).toBeGreaterThanOrEqual(3);
    expect(mistakesOf(environment).join('\n')).not.toContain(planted);
  });

  test.each(['-1', '1.5', '1e3', ' 80', '0x50', '999999999999999999999'])('a port is not "%s"', OPS_PORT => {
    expect(mistakesOf({ ...GOOD, OPS_PORT })).toHaveLength(1);
  });

  test.each([
    ['a key that is too short', `a:${KEY.slice(4)}`],
    ['one id twice', `a:${KEY},a:${KEY}`],
    ['an id that is not one', `a b:${KEY}`],
    ['an empty entry', `a:${KEY},`],
  ])('content keys with %s are refused', (_what, CONTENT_KEYS) => {
    expect(mistakesOf({ ...GOOD, CONTENT_KEYS })).toHaveLength(1);
  });
});

describe('a secret in a file', () => {
  const fileWith = (text: string): string => {
    const file = join(temporaryFolder(), 'secret');
    writeFileSync(file, text);
    return file;
  };

  test('is read without the line break at its end', () => {
    const { NATS_PASSWORD: _, ...rest } = GOOD;
    const read = (text: string) =>
      loadConfig('messaging-service', { ...rest, NATS_PASSWORD_FILE: fileWith(text) }).NATS_PASSWORD;
    expect(read('p-file\n')).toBe('p-file');
    expect(read('p-file\r\n')).toBe('p-file');
    expect(read(' p file ')).toBe(' p file ');
  });

  test('and in the variable too is a mistake', () => {
    expect(mistakesOf({ ...GOOD, NATS_PASSWORD_FILE: fileWith('p') })).toEqual([
      expect.stringMatching(/^NATS_PASSWORD and NATS_PASSWORD_FILE are both set/),
    ]);
  });

  test('that cannot be read is named, with the reason', () => {
    const { NATS_PASSWORD: _, ...rest } = GOOD;
    expect(mistakesOf({ ...rest, NATS_PASSWORD_FILE: '/no/such/file' })).toEqual([
      expect.stringMatching(/^NATS_PASSWORD_FILE is "\/no\/such\/file", which cannot be read \(ENOENT\)/),
    ]);
  });

  test('is for secrets only', () => {
    expect(loadConfig('messaging-service', { ...GOOD, LOG_LEVEL_FILE: fileWith('trace') }).LOG_LEVEL).toBe('info');
  });
});
