import { z } from 'zod';

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Every id that enters the system: a user, a therapist, a client's own message id. Ids become NATS
 * subject tokens, so nothing that NATS reads as structure (`.`, `*`, `>`, white space) can be in one.
 */
export const Id = z
  .string()
  .regex(ID, 'must be 1 to 64 of the characters A-Z a-z 0-9 _ -')
  .meta({ id: 'Id', description: 'A subject-safe id.', examples: ['user-uuid'] });

export function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** RFC 3339, UTC, milliseconds: `2026-11-23T09:00:00.000Z`. */
export const Timestamp = z.iso
  .datetime({ precision: 3 })
  .meta({ id: 'Timestamp', description: 'RFC 3339, UTC, milliseconds.', examples: ['2026-11-23T09:00:00.000Z'] });
