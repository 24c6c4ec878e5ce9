import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class Appointments extends Migration {
  override up(): void {
    // GiST has no operator class for `=` of its own. The extension is trusted: the owner of the database may make it.
    this.addSql('create extension if not exists btree_gist');
    this.addSql(`
      create table series (
        id uuid not null primary key,
        recurrence text not null,
        time_zone text not null,
        wall_start text not null,
        moved_ms bigint not null default 0,
        duration_ms int not null,
        laid_out_to timestamptz(3) not null,
        is_endless boolean not null,
        created_at timestamptz(3) not null
      )`);
    this.addSql('create index series_to_extend on series (laid_out_to) where is_endless');
    // Nobody can be in two sessions at once, the therapist's buffer included. The constraints are checked at the end
    // of a statement, not row by row, so that one statement can move a series to where it has been itself.
    this.addSql(`
      create table appointment (
        id uuid not null primary key,
        series_id uuid references series (id),
        client_id text collate "C" not null,
        therapist_id text collate "C" not null,
        status text not null,
        version int not null,
        start_at timestamptz(3) not null,
        end_at timestamptz(3) not null,
        blocked_until timestamptz(3) not null,
        time_zone text not null,
        wall_start text not null,
        wall_time text,
        recurrence text,
        therapist_name text,
        reason text,
        requested_at timestamptz(3),
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        constraint appointment_status check (status in ('requested', 'confirmed', 'cancelled', 'completed', 'no-show')),
        constraint appointment_times check (start_at < end_at and end_at <= blocked_until),
        constraint appointment_therapist_is_free exclude using gist
          (therapist_id with =, tstzrange(start_at, blocked_until) with &&)
          where (status in ('requested', 'confirmed')) deferrable initially immediate,
        constraint appointment_client_is_free exclude using gist
          (client_id with =, tstzrange(start_at, blocked_until) with &&)
          where (status in ('requested', 'confirmed')) deferrable initially immediate
      )`);
    this.addSql('create index appointment_of_client on appointment (client_id, start_at, id)');
    this.addSql('create index appointment_of_therapist on appointment (therapist_id, start_at, id)');
    this.addSql('create index appointment_of_series on appointment (series_id, start_at) where series_id is not null');
    this.addSql(`create index appointment_open on appointment (requested_at) where status = 'requested'`);
    this.addSql(`
      create table appointment_change (
        appointment_id uuid not null references appointment (id),
        version int not null,
        changed_at timestamptz(3) not null,
        changed_by text not null,
        user_id text,
        service text,
        from_status text,
        from_start timestamptz(3),
        from_end timestamptz(3),
        to_status text not null,
        to_start timestamptz(3) not null,
        to_end timestamptz(3) not null,
        reason text,
        primary key (appointment_id, version),
        constraint appointment_change_by check (changed_by in ('user', 'service', 'system'))
      )`);
    this.addSql(`
      create table booking_key (
        booked_by text collate "C" not null,
        key text collate "C" not null,
        body_hash bytea not null,
        appointment_id uuid not null references appointment (id),
        created_at timestamptz(3) not null,
        primary key (booked_by, key)
      )`);
    this.addSql(`
      create table reminder (
        appointment_id uuid not null references appointment (id),
        version int not null,
        offset_minutes int not null,
        recipient text not null,
        id uuid not null,
        due_at timestamptz(3) not null,
        outcome text,
        decided_at timestamptz(3),
        primary key (appointment_id, version, offset_minutes, recipient),
        constraint reminder_recipient check (recipient in ('client', 'therapist')),
        constraint reminder_outcome check (outcome in ('sent', 'superseded', 'suppressed-late', 'suppressed-collapsed'))
      )`);
    this.addSql('create index reminder_due on reminder (due_at) where outcome is null');
    this.addSql(`
      create table reminder_preference (
        user_id text collate "C" not null primary key,
        offsets_minutes int[] not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create table availability (
        therapist_id text collate "C" not null primary key,
        time_zone text not null,
        weekly jsonb not null,
        exceptions jsonb not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create table therapist (
        user_id text collate "C" not null primary key,
        therapist_id text collate "C",
        version int not null
      )`);
    this.addSql('create index therapist_room on therapist (therapist_id)');
  }
}

export const appointments: MigrationObject = { name: '2026-11-25-appointments', class: Appointments };
