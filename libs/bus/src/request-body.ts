import { AppError } from '@rapport/contracts';

/** Parses the body of a request. @throws AppError `INVALID_PAYLOAD` */
export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // JSON.parse quotes the text in its message, and the text may be what somebody told their therapist.
    throw new AppError('INVALID_PAYLOAD', 'the body is not JSON');
  }
}

/** A field of a body; `undefined` when the body is no object or has none of that name. */
export function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name)
    ? (body as Record<string, unknown>)[name]
    : undefined;
}
