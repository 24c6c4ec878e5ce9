import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class MessagesTogether extends Migration {
  override up(): void {
    // Which messages of a conversation were heard of, for good: a row is one range, but for what has not come yet.
    // Every batch of messages updates it, in place as long as there is room on its page.
    this.addSql(`
      create table conversation_heard (
        conversation_id text collate "C" not null primary key,
        seqs int4multirange not null
      ) with (fillfactor = 70)`);
    // Until now they were remembered by the ids of their facts. What had an effect that is still known is heard of.
    this.addSql(`
      insert into conversation_heard
      select conversation_id, range_agg(int4range(seq, seq, '[]'))
        from (select conversation_id, seq from waiting_message
              union all
              select substr(group_key, length('message/') + 1), unnest(seqs) from notification
               where group_key like 'message/%') as known
       group by conversation_id`);
    // Of those that came together, `seq` is the last. Without them it is alone, as it is in every row until now, and
    // in those of a replica one version behind.
    this.addSql('alter table waiting_message add column seqs int4multirange');
  }
}

export const messagesTogether: MigrationObject = { name: '2026-11-26-messages-together', class: MessagesTogether };
