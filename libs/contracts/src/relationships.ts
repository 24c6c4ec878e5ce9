import { z } from 'zod';
import { Id, Timestamp } from './ids.ts';
import { ROLES } from './identity.ts';
import { NoInput } from './inputs.ts';
import type { DeliveryRow, FactRow, ServiceRequestRow, UserRequestRow } from './rows.ts';

const Pair = z
  .object({ clientUserId: Id, therapistUserId: Id })
  .refine(({ clientUserId, therapistUserId }) => clientUserId !== therapistUserId, {
    path: ['therapistUserId'],
    message: 'must be another user than clientUserId',
  });

export const Relationship = z
  .object({
    id: Id,
    clientUserId: Id,
    therapistUserId: Id,
    linked: z.boolean().meta({ description: 'Whether it is in force.' }),
    since: Timestamp.meta({ description: 'When it last began.' }),
    endedAt: Timestamp.optional().meta({ description: 'When it ended; only when it is not in force.' }),
    version: z.int().positive().meta({ description: 'Rises by one whenever it begins or ends.' }),
  })
  .meta({ id: 'Relationship', description: 'The care relationship of a client and a therapist.' });
export type Relationship = z.infer<typeof Relationship>;

const Contact = z
  .object({
    userId: Id,
    role: z.enum(['client', 'therapist']).meta({ description: 'What the contact is in this relationship.' }),
    since: Timestamp,
  })
  .meta({ id: 'Contact' });

export const relationshipRequests = {
  'contact:list': {
    summary: 'Everybody with whom the caller has a live care relationship.',
    input: NoInput,
    output: z.object({ contacts: z.array(Contact) }),
    roles: ROLES,
    answeredBy: 'messaging-service',
    ordered: false,
  },
} as const satisfies Record<string, UserRequestRow>;

export const relationshipServiceRequests = {
  'relationship.link': {
    summary: 'Begins a care relationship, in force everywhere within a second. One that is in force stays as it is.',
    input: Pair,
    output: Relationship,
    answeredBy: 'messaging-service',
    askedBy: [],
  },
  'relationship.end': {
    summary: 'Ends a care relationship, everywhere within a second. One that has ended stays as it is.',
    input: Pair,
    output: Relationship,
    answeredBy: 'messaging-service',
    askedBy: [],
  },
  'relationship.list': {
    summary: 'Relationships of one user or of all, those that have ended too, in the order in which they first began.',
    input: z.object({ userId: Id.optional(), cursor: z.uuid().optional() }),
    output: z.object({ relationships: z.array(Relationship), nextCursor: z.uuid().optional() }),
    answeredBy: 'messaging-service',
    askedBy: [],
  },
} as const satisfies Record<string, ServiceRequestRow>;

export const relationshipDeliveries = {
  'contact:changed': {
    summary: 'A care relationship of this user began or ended.',
    payload: z.object({
      userId: Id.meta({ description: 'The other party.' }),
      linked: z.boolean(),
      version: z.int().positive().meta({ description: 'Of the relationship: the highest says how it is.' }),
    }),
    publishedBy: 'messaging-service',
    to: ['user'],
  },
} as const satisfies Record<string, DeliveryRow>;

export const relationshipFacts = {
  'relationship.changed': {
    summary: 'A care relationship began or ended. The one with the highest version says how it is.',
    data: z.object({
      relationshipId: Id,
      clientUserId: Id,
      therapistUserId: Id,
      linked: z.boolean(),
      version: z.int().positive(),
      changedAt: Timestamp,
    }),
    publishedBy: 'messaging-service',
    consumedBy: ['presence-service', 'notification-service', 'appointment-service'],
  },
} as const satisfies Record<string, FactRow>;
