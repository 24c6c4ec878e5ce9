import { z } from 'zod';

/** PostgreSQL's text refuses NUL, and a lone surrogate cannot be encoded as UTF-8: both would be changed on the way. */
export const Text = z
  .string()
  .refine(text => !text.includes('\0'), 'must not contain NUL')
  .refine(text => text.isWellFormed(), 'must be well-formed Unicode');
