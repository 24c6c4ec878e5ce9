import { expect, test } from '@jest/globals';
import { loadConfig } from '../../libs/service/src/config.ts';
import { requireAllowedHost } from '../src/attachment-hosts.ts';

const at = (url: string) => ({ url, name: 'a.png', mimeType: 'image/png', size: 7 });

test.each([
  [['*'], 'https://anything.example/a'],
  [['files.example.org'], 'https://files.example.org/a?b#c'],
  [['files.example.org'], 'https://FILES.example.org:8443/a'],
  [['x.example', 'files.example.org'], 'https://files.example.org/a'],
  [['*.example.org'], 'https://a.b.example.org/a'],
])('with %j an attachment may be at %s', (hosts, url) => {
  expect(() => requireAllowedHost(hosts, at(url))).not.toThrow();
});

test.each([
  [['files.example.org'], 'https://example.org/a'],
  [['files.example.org'], 'https://evil.example/files.example.org'],
  [['files.example.org'], 'https://files.example.org.evil.example/a'],
  [['files.example.org'], 'https://xfiles.example.org/a'],
  [['*.example.org'], 'https://example.org/a'],
  [['*.example.org'], 'https://badexample.org/a'],
])('with %j an attachment may not be at %s, and the refusal names the field, not the host', (hosts, url) => {
  const refusal = {
    code: 'INVALID_PAYLOAD',
    details: [{ path: 'attachment.url', message: expect.not.stringMatching('example') }],
  };
  expect(() => requireAllowedHost(hosts, at(url))).toThrow(expect.objectContaining(refusal));
});

test('a message without an attachment is no matter of hosts', () => {
  expect(() => requireAllowedHost(['files.example.org'], undefined)).not.toThrow();
});

const ENVIRONMENT = {
  NATS_USER: 'x',
  NATS_PASSWORD: 'x',
  DATABASE_URL: 'postgresql://127.0.0.1/x',
  CONTENT_KEYS: `a:${Buffer.alloc(32).toString('base64')}`,
  BODY_HASH_KEY: Buffer.alloc(32).toString('base64'),
};

test('the list is read from ATTACHMENT_HOSTS, any when it is not set, and a mistake in it stops the start', () => {
  const hosts = (ATTACHMENT_HOSTS?: string) =>
    loadConfig('messaging-service', { ...ENVIRONMENT, ...(ATTACHMENT_HOSTS && { ATTACHMENT_HOSTS }) }).ATTACHMENT_HOSTS;
  expect(hosts()).toEqual(['*']);
  expect(hosts('Files.example.org, *.cdn.example.org')).toEqual(['files.example.org', '*.cdn.example.org']);
  for (const wrong of ['https://files.example.org', 'files.example.org/', 'a,,b', '*.', 'a b']) {
    expect(() => hosts(wrong)).toThrow('must be * or a list of hosts');
  }
});
