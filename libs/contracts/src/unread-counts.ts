import { z } from 'zod';
import { Id } from './ids.ts';

/** The most users in one question: about 70 KB. */
export const MAX_COUNTED_USERS = 1_000;

/** How much each of several users has left to read, for a gateway to which they connect. */
export const UnreadCountsInput = z.object({ userIds: z.array(Id).max(MAX_COUNTED_USERS) });
export const UnreadCountsOutput = z.object({
  counts: z.array(z.int().nonnegative()).meta({ description: 'In the order of userIds.' }),
});
