import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUS_USERS, SERVICES, type BusUser, type ServiceName } from '@rapport/contracts';
import { StackError } from './stack-error.ts';

/** What the stack generates at its first start and keeps: nothing here has a default anywhere else. */
export interface Secrets {
  readonly jwt: string;
  /** `local:<base64>`, the form of CONTENT_KEYS. */
  readonly contentKeys: string;
  readonly bodyHashKey: string;
  /** The owner of the local PostgreSQL. */
  readonly postgres: string;
  readonly databases: Readonly<Record<ServiceName, string>>;
  readonly nats: Readonly<Record<BusUser, string>>;
}

/**
 * The secrets of a data folder, made at the first call and the same ever after. Who joined since gets one.
 * @throws StackError when the file is there and cannot be read
 */
export function keepSecrets(dir: string): Secrets {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'secrets.json');
  const kept = readKept(file);
  const secrets: Secrets = {
    jwt: kept.jwt ?? random(),
    contentKeys: kept.contentKeys ?? `local:${random()}`,
    bodyHashKey: kept.bodyHashKey ?? random(),
    postgres: kept.postgres ?? password(),
    databases: passwordFor(SERVICES, kept.databases),
    nats: passwordFor(BUS_USERS, kept.nats),
  };
  const text = `${JSON.stringify(secrets, undefined, 2)}\n`;
  if (text !== `${JSON.stringify(kept, undefined, 2)}\n`) writePrivate(file, text);
  return secrets;
}

/** Writes a file that only its owner may read, all of it or nothing. */
export function writePrivate(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}

function readKept(file: string): Partial<Secrets> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return {};
    throw new StackError(
      `${file} cannot be read (${code ?? 'it is not JSON'}): correct it, or set DATA_DIR to another folder.`,
    );
  }
}

function passwordFor<N extends string>(names: readonly N[], kept: Partial<Record<N, string>> = {}): Record<N, string> {
  return Object.fromEntries(names.map(name => [name, kept[name] ?? password()])) as Record<N, string>;
}

const random = (): string => randomBytes(32).toString('base64');
// Goes into URLs and config files as it is. A letter first: a nats-server config reads `$2a$…` as a hash
// and a text of digits as a number.
const password = (): string => `p${randomBytes(24).toString('base64url')}`;
