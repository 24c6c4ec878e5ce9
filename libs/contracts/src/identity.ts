import { z } from 'zod';
import { Id } from './ids.ts';
import { healthData } from './health-data.ts';

export const ROLES = ['client', 'therapist', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who a user request is made for. Built by the gateway from the token alone, never from what a client sends. */
export const Actor = z
  .object({
    userId: Id,
    role: z.enum(ROLES),
    therapistId: Id.optional().meta({ description: 'Role therapist only: the id of their room and calendar.' }),
    name: healthData(z.string()).optional(),
  })
  .meta({ id: 'Actor', description: 'Who a request is made for.' });
export type Actor = z.infer<typeof Actor>;
