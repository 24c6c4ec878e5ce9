import type { Bus } from '@rapport/bus';
import type { FactName } from '@rapport/contracts';
import type { Pool } from 'pg';
import { asDates } from './connection.ts';
import { fromStored, NIL_UUID, publishFact, type Position, type ReadRow } from './outbox-row.ts';

const ROWS_OF_A_PAGE = 50;
/** Facts that wait for the stream at once: it must confirm each within the request time-out. */
const REPLAYED_TOGETHER = 200;

/**
 * Publishes again every fact committed since `since`, oldest first, under its old id: consumers that
 * know it ignore it, a stream that lost it has it again. Resolves to how many there were.
 */
export async function replay(bus: Bus, pool: Pool, since: Date): Promise<number> {
  let count = 0;
  let after: Position = { createdAt: since, id: NIL_UUID };
  for (;;) {
    const { rows } = await pool.query<ReadRow<FactName>>({
      text: `select id, created_at as "createdAt", facts from outbox
              where (created_at, id) > ($1, $2) order by created_at, id limit $3`,
      types: asDates,
      values: [after.createdAt, after.id, ROWS_OF_A_PAGE],
    });
    const last = rows.at(-1);
    if (!last) return count;
    const facts = rows.flatMap(row => fromStored(row.facts));
    for (let first = 0; first < facts.length; first += REPLAYED_TOGETHER) {
      const together = facts.slice(first, first + REPLAYED_TOGETHER);
      await Promise.all(together.map(fact => publishFact(bus, fact)));
    }
    count += facts.length;
    after = last;
  }
}
