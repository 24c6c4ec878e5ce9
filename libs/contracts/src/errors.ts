import { z } from 'zod';

/** Every error code, with the number that the NATS services API wants beside it (HTTP's meaning). */
export const ERROR_CODES = {
  INVALID_PAYLOAD: 400,
  AUTHENTICATION_FAILED: 401,
  UNAUTHORIZED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

/** Why a handshake was refused or a socket was closed. */
export const AUTHENTICATION_REASONS = [
  'missing',
  'malformed',
  'invalid',
  'expired',
  'not-yet-valid',
  'revoked',
] as const;
export type AuthenticationReason = (typeof AUTHENTICATION_REASONS)[number];

export const ErrorDetail = z
  .object({
    path: z.string().meta({ description: 'The field, such as `attachment.url`; empty for the whole input.' }),
    message: z.string().meta({ description: 'The rule that the field broke.' }),
  })
  .meta({ id: 'ErrorDetail' });
export type ErrorDetail = z.infer<typeof ErrorDetail>;

export const ErrorBody = z
  .object({
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.array(ErrorDetail).optional(),
    retryAfterMs: z.int().nonnegative().optional().meta({ description: 'Milliseconds to wait before a retry.' }),
  })
  .meta({ id: 'ErrorBody' });
export type ErrorBody = z.infer<typeof ErrorBody>;

/** What an ack callback receives, and what a NATS reply carries. */
export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: ErrorBody };

interface AppErrorOptions {
  details?: ErrorDetail[];
  retryAfterMs?: number;
  cause?: unknown;
}

/**
 * The one error that is meant for a caller. Its message is shown to people outside, so it names rules
 * and fields, never values. Anything else that is thrown becomes `INTERNAL` on the wire.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly details: ErrorDetail[] | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.details && { details: this.details }),
      ...(this.retryAfterMs !== undefined && { retryAfterMs: this.retryAfterMs }),
    };
  }
}

/**
 * Parses what came from outside.
 * @throws AppError `INVALID_PAYLOAD`, whose details name each field and the rule it broke
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidPayload(...result.error.issues.map(issue => ({ path: issue.path.join('.'), message: issue.message })));
}

/** An `INVALID_PAYLOAD` that names each field and the rule it broke. */
export function invalidPayload(...details: ErrorDetail[]): AppError {
  return new AppError('INVALID_PAYLOAD', 'the payload breaks the rules of this event', { details });
}
