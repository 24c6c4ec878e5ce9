import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class CalendarFeeds extends Migration {
  override up(): void {
    this.addSql(`
      create table calendar_feed (
        user_id text collate "C" not null primary key,
        therapist_id text collate "C",
        secret_hash bytea not null,
        created_at timestamptz(3) not null,
        constraint calendar_feed_secret unique (secret_hash)
      )`);
  }
}

export const calendarFeeds: MigrationObject = { name: '2026-11-25-calendar-feeds', class: CalendarFeeds };
