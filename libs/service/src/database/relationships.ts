import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';
import type { Fact } from '@rapport/bus';
import type { Pool, PoolClient } from 'pg';
import { asDates } from './connection.ts';

// Care relationships in a service's own database: the messaging service keeps the truth, others what its
// facts told them. Whoever asks finds the same columns in either.

/** For a service that needs to know relationships and does not keep them itself. */
class RelationshipProjection extends Migration {
  override up(): void {
    this.addSql(`
      create table care_relationship (
        client_user_id text collate "C" not null,
        therapist_user_id text collate "C" not null,
        linked boolean not null,
        version int not null,
        since timestamptz(3) not null,
        primary key (client_user_id, therapist_user_id)
      )`);
    this.addSql('create index care_relationship_therapist on care_relationship (therapist_user_id)');
  }
}

export const relationshipProjection: MigrationObject = {
  name: '2026-11-25-relationship-projection',
  class: RelationshipProjection,
};

/**
 * Keeps what a fact says, whatever order facts come in.
 * @returns whether it was news: `false` for one that is older than what is known
 */
export async function keepRelationship({ data }: Fact<'relationship.changed'>, client: PoolClient): Promise<boolean> {
  const result = await client.query({
    name: 'relationship-keep',
    text: `insert into care_relationship (client_user_id, therapist_user_id, linked, version, since)
           values ($1, $2, $3, $4, $5)
           on conflict (client_user_id, therapist_user_id) do update
             set linked = excluded.linked, version = excluded.version, since = excluded.since
             where care_relationship.version < excluded.version`,
    values: [data.clientUserId, data.therapistUserId, data.linked, data.version, data.changedAt],
  });
  return result.rowCount === 1;
}

/** Whether one of the two is in the care of the other. */
export async function isLinked(database: Pool | PoolClient, oneUserId: string, otherUserId: string): Promise<boolean> {
  const result = await database.query({
    name: 'relationship-is-linked',
    text: `select from care_relationship
            where linked and ((client_user_id = $1 and therapist_user_id = $2)
                           or (client_user_id = $2 and therapist_user_id = $1))`,
    values: [oneUserId, otherUserId],
  });
  return result.rowCount !== 0;
}

export interface Contact {
  readonly userId: string;
  /** What the contact is in the relationship. */
  readonly role: 'client' | 'therapist';
  readonly since: Date;
}

/** Everybody with whom the user has a live relationship, the oldest first. */
export async function contactsOf(database: Pool | PoolClient, userId: string): Promise<Contact[]> {
  const result = await database.query<Contact>({
    name: 'relationship-contacts',
    text: `select therapist_user_id as "userId", 'therapist' as role, since from care_relationship
            where client_user_id = $1 and linked
           union all
           select client_user_id, 'client', since from care_relationship
            where therapist_user_id = $1 and linked
           order by since, "userId"`,
    types: asDates,
    values: [userId],
  });
  return result.rows;
}
