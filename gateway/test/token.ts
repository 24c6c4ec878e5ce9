import { createHmac } from 'node:crypto';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export interface TokenHeader {
  readonly alg: string;
  readonly [name: string]: unknown;
}

const DIGESTS: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** A JSON Web Token made by hand, so that it can be wrong in any way: an unknown `alg` gets an empty signature. */
export function sign(claims: unknown, secret: string, header: TokenHeader = { alg: 'HS256', typ: 'JWT' }): string {
  const body = `${part(header)}.${part(claims)}`;
  const digest = DIGESTS[header.alg];
  return `${body}.${digest === undefined ? '' : createHmac(digest, secret).update(body).digest('base64url')}`;
}

/** Seconds since the epoch, `seconds` from now. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;
