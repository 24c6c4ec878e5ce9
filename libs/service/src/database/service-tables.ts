import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

/**
 * The tables that every service has beside its own. The outbox is partitioned by UTC day, so that what
 * is past its retention goes with its partition instead of row by row; `outbox-partitions.ts` makes them.
 */
class ServiceTables extends Migration {
  override up(): void {
    this.addSql(`
      create table outbox (
        id uuid not null,
        created_at timestamptz(3) not null,
        fact text not null,
        data jsonb not null,
        except_socket text,
        published_at timestamptz,
        primary key (created_at, id)
      ) partition by range (created_at)`);
    this.addSql('create index outbox_unpublished on outbox (created_at) where published_at is null');
    this.addSql(`
      create table consumed_event (
        consumer text not null,
        event_id text not null,
        consumed_at timestamptz not null default now(),
        primary key (consumer, event_id)
      )`);
    this.addSql('create index consumed_event_age on consumed_event (consumed_at)');
  }
}

export const serviceTables: MigrationObject = { name: '2026-11-23-service-tables', class: ServiceTables };

/** The facts of a transaction are in one row, with what each is and its own id. */
class OutboxRows extends Migration {
  override up(): void {
    this.addSql('alter table outbox add column facts json');
    this.addSql(`
      update outbox set facts = json_build_array(json_strip_nulls(json_build_object(
        'id', id, 'time', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'fact', fact,
        'data', data, 'exceptSocket', except_socket)))`);
    // A large batch is stored beside its row, and compressing it would cost more than it saves.
    this.addSql(`
      alter table outbox
        alter column facts set not null,
        alter column facts set storage external,
        drop column fact,
        drop column data,
        drop column except_socket`);
  }
}

export const outboxRows: MigrationObject = { name: '2026-11-25-outbox-rows', class: OutboxRows };
