import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class Presence extends Migration {
  override up(): void {
    // What is shown of a person, and what must outlive any crash: when they were last seen, and that they do not
    // want to be disturbed. Changed under its row lock, one version after the other; `untold` until it is announced.
    this.addSql(`
      create table presence (
        user_id text collate "C" not null primary key,
        status text not null default 'offline',
        dnd boolean not null default false,
        last_seen_at timestamptz(3),
        version int not null default 0,
        changed_at timestamptz(3) not null default now(),
        untold boolean not null default false,
        constraint presence_status check (status in ('online', 'away', 'dnd', 'offline'))
      ) with (fillfactor = 70)`);
    this.addSql(`create index presence_shown on presence (user_id) where status <> 'offline'`);
    this.addSql('create index presence_untold on presence (changed_at) where untold');

    // Unlogged: after a crash of PostgreSQL it is empty, and the gateways report again. Its one row is empty as
    // well then, so a store with another id is another store.
    this.addSql(`
      create unlogged table session_store (
        id uuid not null default gen_random_uuid(),
        checks_wanted int not null default 1,
        checks_done int not null default 0
      )`);
    this.addSql('create unique index session_store_only on session_store ((true))');
    this.addSql(`
      create unlogged table session (
        gateway uuid not null,
        socket_id text collate "C" not null,
        user_id text collate "C" not null,
        away boolean not null,
        reported_seq int not null,
        ended_at timestamptz(3),
        counts_until timestamptz(3),
        primary key (gateway, socket_id)
      )`);
    this.addSql('create index session_of_user on session (user_id)');
    this.addSql('create index session_ending on session (counts_until) where counts_until is not null');

    // Logged: after a crash it is known who has to report before anybody may be called offline.
    this.addSql(`
      create table gateway_lease (
        gateway uuid not null primary key,
        store uuid not null,
        seq int not null,
        begun_seq int not null,
        complete boolean not null,
        lost boolean not null default false,
        seen_at timestamptz(3) not null
      )`);

    // Numbered in commit order: whoever has all of them up to a number has missed none before it.
    this.addSql(`
      create table revocation (
        user_id text collate "C" not null primary key,
        revoked_before timestamptz(3) not null,
        number int not null,
        constraint revocation_number unique (number)
      )`);
    this.addSql('create table revocation_counter (last int not null)');
    this.addSql('insert into revocation_counter values (0)');
  }
}

export const presence: MigrationObject = { name: '2026-11-25-presence', class: Presence };
