export type { LocalJson } from './local-json.ts';
export { startNats, type Nats, type NatsOptions } from './nats.ts';
export type { Output } from './output.ts';
export { freePort } from './ports.ts';
export { startPostgres, type Postgres, type PostgresOptions } from './postgres.ts';
export type { Stack, StackOptions } from './stack-options.ts';
export { startStack } from './stack.ts';
export type { Supervised } from './supervise.ts';
