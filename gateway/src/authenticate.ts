import type { KeyObject } from 'node:crypto';
import { isId, ROLES, type Actor, type AuthenticationReason, type Role } from '@rapport/contracts';
import jwt from 'jsonwebtoken';

/** Why a token was refused. The message is the code that a client sees. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  readonly reason: AuthenticationReason;

  constructor(reason: AuthenticationReason) {
    super('AUTHENTICATION_FAILED');
    this.reason = reason;
  }
}

/** What a display name may be long: it travels with every request. */
const MAX_NAME_CHARACTERS = 200;

/**
 * Reads who somebody is from their token. The algorithm follows from the key that is configured, never
 * from the token's header.
 * @throws AuthenticationError
 */
export function authenticate(token: unknown, key: KeyObject): Actor {
  if (token === undefined || token === null || token === '') throw new AuthenticationError('missing');
  if (typeof token !== 'string') throw new AuthenticationError('malformed');
  return readClaims(verify(token, key));
}

function verify(token: string, key: KeyObject): jwt.JwtPayload {
  try {
    const payload = jwt.verify(token, key, { algorithms: ['HS256'] });
    if (typeof payload === 'string') throw new AuthenticationError('invalid');
    return payload;
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError) throw new AuthenticationError('expired');
    if (error instanceof jwt.NotBeforeError) throw new AuthenticationError('not-yet-valid');
    const malformed = error instanceof jwt.JsonWebTokenError && /^(jwt malformed|invalid token)$/.test(error.message);
    throw new AuthenticationError(malformed ? 'malformed' : 'invalid');
  }
}

function readClaims(claims: jwt.JwtPayload & Record<string, unknown>): Actor {
  const { sub, exp, name, therapistId } = claims;
  if (!isId(sub) || typeof exp !== 'number') throw new AuthenticationError('invalid');
  const role = readRole(claims['role']);
  if (therapistId !== undefined && !isId(therapistId)) throw new AuthenticationError('invalid');
  return {
    userId: sub,
    role,
    ...(role === 'therapist' && { therapistId: therapistId ?? sub }),
    ...(typeof name === 'string' && { name: name.slice(0, MAX_NAME_CHARACTERS) }),
  };
}

/** An unknown role gets the rights of a client, the fewest there are. */
function readRole(claim: unknown): Role {
  const role = typeof claim === 'string' ? claim.toLowerCase() : 'client';
  return ROLES.find(known => known === role) ?? 'client';
}
