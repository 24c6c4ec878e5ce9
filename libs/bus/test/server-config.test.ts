import { expect, test } from '@jest/globals';
import { renderServerConfig } from '@rapport/bus';
import { BUS_USERS } from '@rapport/contracts';

const everybody = Object.fromEntries(BUS_USERS.map(user => [user, `password-of-${user}`]));
const options = { host: '127.0.0.1', port: 4222, storeDir: '/data/jetstream', passwords: everybody };

test('every user is inside the account, and there is no authorization block beside it', () => {
  const config = renderServerConfig(options);

  const account = config.slice(config.indexOf('accounts {'));
  for (const user of BUS_USERS) {
    expect(account).toContain(`{ user: "${user}", password: "password-of-${user}", permissions:`);
  }
  expect(config).not.toMatch(/authorization|no_auth_user|allow_responses/);
});

test('a user without a password does not exist: the developer who may watch everything is for the local stack', () => {
  const { developer: _, ...passwords } = everybody;

  const config = renderServerConfig({ ...options, passwords });

  expect(config).not.toContain('"developer"');
  expect(config).not.toContain('[">"]');
  expect(config).toContain('"gateway"');
});

test('a text stays one text, whatever is in it', () => {
  const config = renderServerConfig({ ...options, passwords: { gateway: 'a"}, { user: "x\\\n' } });

  expect(config).toContain(String.raw`password: "a\"}, { user: \"x\\\n", permissions`);
});
