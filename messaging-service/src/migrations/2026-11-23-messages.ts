import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class Messages extends Migration {
  override up(): void {
    // Collation "C" compares ids by code point, as the service does when it orders a pair.
    this.addSql(`
      create table conversation (
        id uuid not null primary key,
        user_a text collate "C" not null,
        user_b text collate "C" not null,
        last_seq int not null default 0,
        version int not null default 0,
        created_at timestamptz(3) not null default now(),
        constraint conversation_participants unique (user_a, user_b),
        constraint conversation_order check (user_a < user_b)
      )`);
    this.addSql(`
      create table message (
        id uuid not null primary key,
        conversation_id uuid not null references conversation (id),
        seq int not null,
        version int not null,
        sender_id text collate "C" not null,
        recipient_id text collate "C" not null,
        message_type text not null,
        sealed bytea not null,
        key_id text not null,
        revision int not null default 0,
        body_hash bytea not null,
        client_message_id text collate "C",
        reply_to_id uuid references message (id),
        created_at timestamptz(3) not null,
        constraint message_seq unique (conversation_id, seq),
        constraint message_client_id unique (sender_id, client_message_id)
      )`);
  }
}

export const messages: MigrationObject = { name: '2026-11-23-messages', class: Messages };
