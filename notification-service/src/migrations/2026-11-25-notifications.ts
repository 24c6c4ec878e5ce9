import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class Notifications extends Migration {
  override up(): void {
    this.addSql(`
      create table profile (
        user_id text collate "C" not null primary key,
        sealed bytea not null,
        key_id text not null,
        has_email boolean not null,
        locale text,
        time_zone text,
        therapist_id text collate "C",
        version int not null,
        updated_at timestamptz(3) not null,
        constraint profile_therapist unique (therapist_id)
      )`);
    this.addSql(`
      create table preference (
        user_id text collate "C" not null primary key,
        chosen jsonb not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create table push_subscription (
        id uuid not null primary key,
        user_id text collate "C" not null,
        endpoint_hash bytea not null,
        sealed bytea not null,
        key_id text not null,
        created_at timestamptz(3) not null,
        constraint push_subscription_endpoint unique (endpoint_hash)
      )`);
    this.addSql('create index push_subscription_user on push_subscription (user_id)');
    // The row that everybody locks who changes what is in a user's inbox.
    this.addSql('create table inbox (user_id text collate "C" not null primary key, version int not null)');
    this.addSql(`
      create table notification (
        id uuid not null primary key,
        user_id text collate "C" not null,
        type text not null,
        priority text not null,
        hidden boolean not null,
        params jsonb,
        sealed bytea,
        key_id text,
        group_key text collate "C",
        seqs int[] not null,
        source text collate "C" not null,
        idempotency_key text collate "C",
        body_hash bytea,
        created_at timestamptz(3) not null,
        touched_at timestamptz(3) not null,
        read_at timestamptz(3),
        archived_at timestamptz(3),
        expires_at timestamptz(3),
        constraint notification_idempotency unique (source, idempotency_key)
      )`);
    this.addSql(`create index notification_list on notification (user_id, touched_at desc, id desc)
                  where archived_at is null and not hidden`);
    this.addSql(`create index notification_unread on notification (user_id)
                  where read_at is null and archived_at is null and not hidden`);
    // Of a group only one is open: it grows until it is read.
    this.addSql(`create unique index notification_open_group on notification (user_id, group_key)
                  where group_key is not null and read_at is null and archived_at is null`);
    this.addSql(`create index notification_expiry on notification (expires_at)
                  where archived_at is null and expires_at is not null`);
    this.addSql('create index notification_age on notification (touched_at)');
    this.addSql(`
      create table conversation_read (
        user_id text collate "C" not null,
        conversation_id text collate "C" not null,
        read_up_to_seq int not null,
        primary key (user_id, conversation_id)
      )`);
    // A deletion may be heard of before its message is.
    this.addSql(`
      create table deleted_message (
        conversation_id text collate "C" not null,
        seq int not null,
        heard_at timestamptz(3) not null,
        primary key (conversation_id, seq)
      )`);
    this.addSql('create index deleted_message_age on deleted_message (heard_at)');
    this.addSql(`
      create table delivery (
        id uuid not null primary key,
        notification_id uuid not null references notification (id) on delete cascade,
        channel text not null,
        target uuid not null,
        state text not null,
        attempts int not null,
        next_attempt_at timestamptz(3) not null,
        lease_id uuid,
        leased_until timestamptz(3),
        last_error text,
        created_at timestamptz(3) not null,
        ended_at timestamptz(3),
        constraint delivery_once unique (notification_id, channel, target)
      )`);
    this.addSql(`create index delivery_due on delivery (channel, next_attempt_at) where state = 'pending'`);
    this.addSql(`create index delivery_dead on delivery (ended_at) where state = 'dead'`);
  }
}

export const notifications: MigrationObject = { name: '2026-11-25-notifications', class: Notifications };
