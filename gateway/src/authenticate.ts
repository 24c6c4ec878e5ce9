import { isId, ROLES, type Actor, type AuthenticationReason, type Role } from '@rapport/contracts';
import jwt from 'jsonwebtoken';
import type { FindKey, VerificationKey } from './verification-key.ts';

/** Why a token was refused. The message is the code that a client sees. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  readonly reason: AuthenticationReason;

  constructor(reason: AuthenticationReason) {
    super('AUTHENTICATION_FAILED');
    this.reason = reason;
  }
}

/** Who a token says somebody is, and until when. */
export interface Identity {
  readonly actor: Actor;
  /** Milliseconds since 1970; 0 when the token does not say. */
  readonly issuedAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Reads who somebody is from their token.
 * @throws AuthenticationError; anything else means that the keys could not be asked for
 */
export type Authenticate = (token: unknown) => Promise<Identity>;

/** What a display name may be long: it travels with every request. */
const MAX_NAME_CHARACTERS = 200;
/** The last moment that a Date can name, in seconds. */
const MAX_EXP = 8.64e12;

export function createAuthenticate(
  findKey: FindKey,
  expected: { issuer: string | undefined; audience: string | undefined },
): Authenticate {
  return async token => {
    if (token === undefined || token === null || token === '') throw new AuthenticationError('missing');
    if (typeof token !== 'string') throw new AuthenticationError('malformed');
    const header = jwt.decode(token, { complete: true })?.header;
    if (!header) throw new AuthenticationError('malformed');
    const found = await findKey(typeof header.kid === 'string' ? header.kid : undefined);
    if (!found) throw new AuthenticationError('invalid');
    return readClaims(verify(token, found, expected));
  };
}

function verify(
  token: string,
  { key, algorithms }: VerificationKey,
  { issuer, audience }: { issuer: string | undefined; audience: string | undefined },
): jwt.JwtPayload {
  try {
    const payload = jwt.verify(token, key, {
      algorithms,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    });
    if (typeof payload === 'string') throw new AuthenticationError('invalid');
    return payload;
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError) throw new AuthenticationError('expired');
    if (error instanceof jwt.NotBeforeError) throw new AuthenticationError('not-yet-valid');
    throw new AuthenticationError('invalid');
  }
}

function readClaims(claims: jwt.JwtPayload & Record<string, unknown>): Identity {
  const { sub, iat, exp, name, therapistId } = claims;
  if (!isId(sub) || typeof exp !== 'number' || exp > MAX_EXP) throw new AuthenticationError('invalid');
  if (therapistId !== undefined && !isId(therapistId)) throw new AuthenticationError('invalid');
  const role = readRole(claims['role']);
  const actor = {
    userId: sub,
    role,
    ...(role === 'therapist' && { therapistId: therapistId ?? sub }),
    ...(typeof name === 'string' && { name: displayName(name) }),
  };
  return { actor, issuedAt: typeof iat === 'number' ? iat * 1_000 : 0, expiresAt: exp * 1_000 };
}

/** What PostgreSQL takes: a lone surrogate and NUL it does not. */
function displayName(name: string): string {
  return [...name.replaceAll('\0', '').toWellFormed()].slice(0, MAX_NAME_CHARACTERS).join('');
}

/** An unknown role gets the rights of a client, the fewest there are. */
function readRole(claim: unknown): Role {
  const role = typeof claim === 'string' ? claim.toLowerCase() : 'client';
  return ROLES.find(known => known === role) ?? 'client';
}
