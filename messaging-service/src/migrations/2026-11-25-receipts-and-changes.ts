import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class ReceiptsAndChanges extends Migration {
  override up(): void {
    // What each send and each receipt changes is in no index, and a page has room for the new version of a
    // row beside the old one: such an update touches no index at all.
    this.addSql(`
      alter table conversation
        add column last_message_at timestamptz(3),
        add column read_seq_a int not null default 0,
        add column read_seq_b int not null default 0,
        add column delivered_seq_a int not null default 0,
        add column delivered_seq_b int not null default 0,
        add column unread_a int not null default 0,
        add column unread_b int not null default 0,
        add column expired_seq int not null default 0,
        set (fillfactor = 70)`);
    this.addSql('create index conversation_user_b on conversation (user_b)');
    // A tombstone has no text.
    this.addSql(`
      alter table message
        alter column sealed drop not null,
        alter column key_id drop not null,
        add column edited_at timestamptz(3),
        add column deleted_at timestamptz(3),
        add constraint message_version unique (conversation_id, version)`);
    this.addSql(`
      update conversation c set
        last_message_at = (select m.created_at from message m where m.conversation_id = c.id and m.seq = c.last_seq),
        unread_a = (select count(*) from message m where m.conversation_id = c.id and m.recipient_id = c.user_a),
        unread_b = (select count(*) from message m where m.conversation_id = c.id and m.recipient_id = c.user_b)`);
    this.addSql(`
      create table message_revision (
        message_id uuid not null references message (id),
        revision int not null,
        sealed bytea not null,
        key_id text not null,
        replaced_at timestamptz(3) not null,
        primary key (message_id, revision)
      )`);
    this.addSql(`
      create table legal_hold (
        id uuid not null primary key,
        conversation_id uuid not null references conversation (id),
        reference text collate "C",
        placed_at timestamptz(3) not null,
        placed_by text not null,
        placed_on_behalf_of text collate "C",
        released_at timestamptz(3),
        released_by text,
        released_on_behalf_of text collate "C"
      )`);
    // One hold at a time; those before it stay for the record.
    this.addSql(`
      create unique index legal_hold_in_force on legal_hold (conversation_id) where released_at is null`);
  }
}

export const receiptsAndChanges: MigrationObject = {
  name: '2026-11-25-receipts-and-changes',
  class: ReceiptsAndChanges,
};
