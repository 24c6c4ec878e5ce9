import { constants, createHmac, sign as signBytes, type KeyObject } from 'node:crypto';

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

/** A JSON Web Token signed with a private key, as an identity provider does. */
export function signWith(
  key: KeyObject,
  alg: 'RS256' | 'PS256' | 'ES256' | 'ES384',
  claims: unknown,
  header: object = {},
): string {
  const body = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`;
  const options = alg.startsWith('ES')
    ? { key, dsaEncoding: 'ieee-p1363' as const }
    : alg === 'PS256'
      ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { key };
  const digest = alg === 'ES384' ? 'sha384' : 'sha256';
  return `${body}.${signBytes(digest, Buffer.from(body), options).toString('base64url')}`;
}
