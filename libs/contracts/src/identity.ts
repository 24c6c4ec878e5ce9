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

/** Which gateway makes a request of its own accord. */
export const GatewayActor = z
  .object({ gateway: z.uuid().meta({ description: 'Of one run of one gateway: a new one at every start.' }) })
  .meta({ id: 'GatewayActor', description: 'Which gateway makes a request.' });
export type GatewayActor = z.infer<typeof GatewayActor>;

/** Who a service request is made by. That it may be made at all is proven by the right to publish its subject. */
export const ServiceActor = z
  .object({
    service: Id.meta({ description: 'The name of the service or back-office system, for the record.' }),
    onBehalfOf: Id.optional().meta({ description: 'The user for whom it acts.' }),
  })
  .meta({ id: 'ServiceActor', description: 'Which service makes a request, and for whom.' });
export type ServiceActor = z.infer<typeof ServiceActor>;
