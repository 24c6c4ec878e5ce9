import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class BatchesHeard extends Migration {
  override up(): void {
    // The latest change that was heard of and that reached several at once: what a batch says, only such a one overtakes.
    this.addSql('alter table appointment_heard add column batch_version int not null default 0');
  }
}

export const batchesHeard: MigrationObject = { name: '2026-11-25-batches-heard', class: BatchesHeard };
