import { z } from 'zod';

/** Of a request that needs none: a client may leave it out. */
export const NoInput = z.object({}).prefault({});
