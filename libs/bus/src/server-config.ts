import { BUS_USERS, busRights, factConsumers, type BusUser, type FactConsumer } from '@rapport/contracts';

export interface ServerConfigOptions {
  host: string;
  port: number;
  /** Where JetStream keeps its files. */
  storeDir: string;
  /** A user without a password is left out: the developer who may watch everything exists in the local stack only. */
  passwords: Partial<Record<BusUser, string>>;
  consumers?: readonly FactConsumer[];
}

/**
 * The config file of a nats-server on which each process has its own user and its own rights.
 * Every user is inside `accounts{}`: with `authorization{}` beside it, servers before 2.9.23 let
 * anonymous clients in (CVE-2023-47090).
 */
export function renderServerConfig(options: ServerConfigOptions): string {
  const rights = busRights(options.consumers ?? factConsumers());
  const users = BUS_USERS.flatMap(user => {
    const password = options.passwords[user];
    return password === undefined ? [] : [{ user, password, permissions: rights[user] }];
  });
  return [
    `host: ${quote(options.host)}`,
    `port: ${options.port}`,
    'max_payload: 1MB',
    'jetstream {',
    `  store_dir: ${quote(options.storeDir)}`,
    '}',
    'accounts {',
    '  RAPPORT {',
    '    jetstream: enabled',
    '    users: [',
    ...users.map(
      ({ user, password, permissions }) =>
        `      { user: ${quote(user)}, password: ${quote(password)}, permissions: {` +
        ` publish: { allow: ${list(permissions.publish)} }, subscribe: { allow: ${list(permissions.subscribe)} } } }`,
    ),
    '    ]',
    '  }',
    '}',
    '',
  ].join('\n');
}

// A JSON string is a string of the nats-server config format as well, escapes included.
const quote = (text: string): string => JSON.stringify(text);
const list = (items: readonly string[]): string => `[${items.map(quote).join(', ')}]`;
