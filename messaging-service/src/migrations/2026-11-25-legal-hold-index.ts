import { Migration } from '@mikro-orm/migrations';
import type { MigrationObject } from '@mikro-orm/postgresql';

class LegalHoldIndex extends Migration {
  override up(): void {
    this.addSql('create index legal_hold_conversation on legal_hold (conversation_id)');
  }
}

export const legalHoldIndex: MigrationObject = { name: '2026-11-25-legal-hold-index', class: LegalHoldIndex };
