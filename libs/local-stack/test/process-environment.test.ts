import { expect, test } from '@jest/globals';
import { environmentOf, inherited } from '../src/process-environment.ts';

const layers = { fixed: {}, outer: {}, defaults: {} };

test('a process gets the variables that its rows name, and no others', () => {
  const fixed = { DATABASE_URL: 'postgresql://messaging', JWT_SECRET: 'secret', PORT: '5000', OPS_PORT: '9464' };
  const outer = { LOG_LEVEL: 'debug', CONTENT_KEYS: 'a:b', AWS_SECRET_ACCESS_KEY: 'no business of ours' };

  const gateway = environmentOf('gateway', { ...layers, fixed, outer });
  const messaging = environmentOf('messaging-service', { ...layers, fixed, outer });

  expect(gateway).toMatchObject({ JWT_SECRET: 'secret', PORT: '5000', OPS_PORT: '9464', LOG_LEVEL: 'debug' });
  expect(messaging).toMatchObject({ DATABASE_URL: 'postgresql://messaging', OPS_PORT: '9464', CONTENT_KEYS: 'a:b' });
  for (const name of ['DATABASE_URL', 'CONTENT_KEYS', 'AWS_SECRET_ACCESS_KEY'])
    expect(gateway).not.toHaveProperty(name);
  for (const name of ['JWT_SECRET', 'PORT', 'AWS_SECRET_ACCESS_KEY']) expect(messaging).not.toHaveProperty(name);
});

test('what the stack decides goes before what was asked for, and that before what holds otherwise', () => {
  const outer = { NATS_URL: 'asked', CONTACT_POLICY: 'care-team', BODY_HASH_KEY: '' };
  const defaults = { CONTACT_POLICY: 'open', CONTENT_KEYS: 'own', BODY_HASH_KEY: 'own' };

  expect(environmentOf('messaging-service', { fixed: { NATS_URL: 'decided' }, outer, defaults })).toMatchObject({
    NATS_URL: 'decided',
    CONTACT_POLICY: 'care-team',
    CONTENT_KEYS: 'own',
    BODY_HASH_KEY: 'own',
  });
});

test('a secret that is given as a file takes the place of the one that the stack keeps', () => {
  const outer = { CONTENT_KEYS_FILE: '/run/secrets/content-keys' };

  const environment = environmentOf('messaging-service', { ...layers, outer, defaults: { CONTENT_KEYS: 'own' } });

  expect(environment).toHaveProperty('CONTENT_KEYS_FILE', '/run/secrets/content-keys');
  expect(environment).not.toHaveProperty('CONTENT_KEYS');
});

test('it finds its programs as this process does', () => {
  expect(environmentOf('gateway', layers)).toHaveProperty('PATH', inherited['PATH']);
});
