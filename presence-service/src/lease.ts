import type { GatewayCallInput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';

interface Taken {
  readonly now: Date;
  readonly begunSeq: number;
}

/** What became of a report: it is to be applied, it was applied before, or too little is known of its gateway. */
export type Reception = ({ readonly apply: true } & Taken) | { readonly apply: false; readonly known: boolean };

/**
 * Makes the store that sessions are in when there is none. One that came back empty after a crash is another store:
 * it has another id.
 */
export async function makeStore(client: Pool): Promise<void> {
  await client.query('insert into session_store default values on conflict do nothing');
}

/**
 * Takes a report of a gateway, which extends its lease and locks it until the transaction ends: one report after
 * the other, each once, and none when the one before it is missing.
 */
export async function receiveReport(
  client: PoolClient,
  gateway: string,
  { seq, begin, end }: Pick<GatewayCallInput<'session.report'>, 'seq' | 'begin' | 'end'>,
): Promise<Reception> {
  const { rows } = await client.query<Taken>(begin ? beginning(gateway, seq, end) : going(gateway, seq, end));
  const [taken] = rows;
  if (taken) return { apply: true, ...taken };
  const repeat = await client.query({
    name: 'lease-repeat',
    text: `select from gateway_lease
            where gateway = $1 and seq >= $2 and not lost and store = (select id from session_store)`,
    values: [gateway, seq],
  });
  return { apply: false, known: repeat.rowCount === 1 };
}

const TAKEN = 'returning l.seen_at as now, l.begun_seq as "begunSeq"';

function beginning(gateway: string, seq: number, end: boolean) {
  return {
    name: 'lease-begin',
    text: `insert into gateway_lease as l (gateway, store, seq, begun_seq, complete, seen_at)
           select $1, id, $2, $2, $3, clock_timestamp() from session_store
           on conflict (gateway) do update
             set store = excluded.store, seq = $2, begun_seq = $2, complete = $3, lost = false,
                 seen_at = excluded.seen_at
             where l.seq < $2 or l.store <> excluded.store or l.lost
           ${TAKEN}`,
    types: asDates,
    values: [gateway, seq, end],
  };
}

function going(gateway: string, seq: number, end: boolean) {
  return {
    name: 'lease-extend',
    text: `update gateway_lease l set seq = $2, complete = complete or $3, seen_at = clock_timestamp()
            where gateway = $1 and seq = $2 - 1 and not lost and store = (select id from session_store)
           ${TAKEN}`,
    types: asDates,
    values: [gateway, seq, end],
  };
}

/** When everybody has to be looked at again, because a gateway began to report anew. */
export async function wantCheck(client: PoolClient): Promise<void> {
  await client.query('update session_store set checks_wanted = checks_wanted + 1');
}
