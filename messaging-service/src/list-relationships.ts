import type { ServiceRequest, UserRequest } from '@rapport/bus';
import type { ServiceOutput, UserOutput } from '@rapport/contracts';
import { contactsOf, type Database } from '@rapport/service/database';
import type { Pool } from 'pg';
import { RelationshipEntity, toRelationship } from './relationship.ts';

/** Relationships in one answer: about 250 bytes each, so far below what a NATS message holds. */
const PAGE = 500;

/** Page by page in the order of their ids, which is the order in which they first began. */
export function createListRelationships({ orm }: { orm: Database['orm'] }) {
  return async ({ input }: ServiceRequest<'relationship.list'>): Promise<ServiceOutput<'relationship.list'>> => {
    const { userId, cursor } = input;
    const rows = await orm.em.fork().find(
      RelationshipEntity,
      {
        ...(cursor !== undefined && { id: { $gt: cursor } }),
        ...(userId !== undefined && { $or: [{ clientUserId: userId }, { therapistUserId: userId }] }),
      },
      { orderBy: { id: 'asc' }, limit: PAGE + 1 },
    );
    const page = rows.slice(0, PAGE);
    const last = page.at(-1);
    return {
      relationships: page.map(toRelationship),
      ...(rows.length > PAGE && last && { nextCursor: last.id }),
    };
  };
}

/** The caller's own contacts. */
export function createListContacts({ pool }: { pool: Pool }) {
  return async ({ actor }: UserRequest<'contact:list'>): Promise<UserOutput<'contact:list'>> => {
    const contacts = await contactsOf(pool, actor.userId);
    return { contacts: contacts.map(({ since, ...contact }) => ({ ...contact, since: since.toISOString() })) };
  };
}
