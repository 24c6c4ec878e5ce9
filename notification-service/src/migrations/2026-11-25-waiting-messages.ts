import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class WaitingMessages extends Migration {
  override up(): void {
    // Messages of which it is not decided yet whether their recipient has to be told.
    this.addSql(`
      create table waiting_message (
        user_id text collate "C" not null,
        conversation_id text collate "C" not null,
        seq int not null,
        sender_id text collate "C" not null,
        looked int not null default 0,
        look_at timestamptz(3) not null,
        primary key (user_id, conversation_id, seq)
      )`);
    this.addSql('create index waiting_message_due on waiting_message (look_at)');
    // The latest change of each appointment that was heard of: facts come in any order.
    this.addSql(`
      create table appointment_heard (
        appointment_id text collate "C" not null primary key,
        version int not null,
        heard_at timestamptz(3) not null
      )`);
    this.addSql('create index appointment_heard_age on appointment_heard (heard_at)');
  }
}

export const waitingMessages: MigrationObject = { name: '2026-11-25-waiting-messages', class: WaitingMessages };
