import type { BusUser, FactConsumer, ProcessName, ServiceName } from '@rapport/contracts';
import type { Output } from './output.ts';
import type { Environment } from './process-environment.ts';
import type { StackError } from './stack-error.ts';
import type { Supervised } from './supervise.ts';

export interface StackOptions {
  /** Holds everything that a second start finds again. One stack at a time. */
  dataDir: string;
  /** A free one for each that is 0 or left out. */
  ports?: { gateway?: number; nats?: number; postgres?: number };
  /** How many of each process; one when left out, none for 0. */
  processes?: Partial<Record<ProcessName, number>>;
  /** What the processes read besides what the stack decides. PATH and the like they have from this process. */
  env?: Environment;
  /** The HS256 key of access tokens; one of the stack's own when left out. */
  jwtSecret?: string | undefined;
  /** A NATS server or a PostgreSQL server of somebody else: then the stack starts none of its own. */
  natsUrl?: string | undefined;
  databaseUrl?: string | undefined;
  /** The durable consumers to make; those of the contracts when left out. */
  consumers?: readonly FactConsumer[];
  output?: Output;
  /** Ends the start when it is aborted. A running stack is ended by `stop`. */
  signal?: AbortSignal;
}

/** A running stack. */
export interface Stack {
  readonly dataDir: string;
  /** Where clients connect, one URL for each gateway. */
  readonly gateways: readonly string[];
  readonly nats: Readonly<Record<BusUser, string>>;
  /** The database `postgres` as the owner. */
  readonly postgres: string;
  /** Where each service connects. */
  readonly databases: Readonly<Record<ServiceName, string>>;
  readonly jwtSecret: string;
  /** By the name of the process. */
  readonly metrics: Readonly<Record<string, string>>;
  /** `nats-server`, `postgresql`, and the processes by their names. */
  readonly programs: ReadonlyMap<string, Supervised>;
  /** Resolves when a program was given up: its configuration is wrong. The rest is still running then. */
  readonly failed: Promise<StackError>;
  /** Ends everything within 10 s, the last started first; the data stays. A second call waits for the first. */
  stop(): Promise<void>;
}
