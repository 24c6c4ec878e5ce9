import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class Relationships extends Migration {
  override up(): void {
    this.addSql(`
      create table care_relationship (
        id uuid not null primary key,
        client_user_id text collate "C" not null,
        therapist_user_id text collate "C" not null,
        linked boolean not null,
        version int not null,
        since timestamptz(3) not null,
        ended_at timestamptz(3),
        constraint care_relationship_pair unique (client_user_id, therapist_user_id),
        constraint care_relationship_two_people check (client_user_id <> therapist_user_id)
      )`);
    this.addSql('create index care_relationship_therapist on care_relationship (therapist_user_id)');
    this.addSql(`
      create table care_relationship_change (
        relationship_id uuid not null references care_relationship (id),
        version int not null,
        linked boolean not null,
        changed_at timestamptz(3) not null,
        service text not null,
        on_behalf_of text collate "C",
        primary key (relationship_id, version)
      )`);
  }
}

export const relationships: MigrationObject = { name: '2026-11-25-relationships', class: Relationships };
