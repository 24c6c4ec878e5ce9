import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivate } from './secrets.ts';

/** Where things are while a stack runs, each URL with the credentials it needs. Section 7 of the contract. */
export interface LocalJson {
  readonly gateway: string;
  /** May make the requests that are for services. */
  readonly natsBackOffice: string;
  /** May watch the subjects that carry no content. */
  readonly natsOps: string;
  /** May watch everything. Only here is there such a user. */
  readonly natsDeveloper: string;
  /** Below it `natsBackOffice` gets its replies. */
  readonly natsInboxPrefix: string;
  /** The database `postgres`, as the owner. */
  readonly postgres: string;
  /** By process: where its metrics are. */
  readonly metrics: Readonly<Record<string, string>>;
}

export function localJsonIn(dir: string): string {
  return join(dir, 'local.json');
}

export function writeLocalJson(dir: string, content: LocalJson): void {
  writePrivate(localJsonIn(dir), `${JSON.stringify(content, undefined, 2)}\n`);
}

export function removeLocalJson(dir: string): void {
  rmSync(localJsonIn(dir), { force: true });
}
