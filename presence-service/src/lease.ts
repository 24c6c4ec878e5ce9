import type { GatewayCallInput } from '@rapport/contracts';
import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';

/** What became of a report: it is to be applied, it was applied before, or too little is known of its gateway. */
export type Reception =
  | { readonly apply: true; readonly now: Date; readonly begunSeq: number }
  | { readonly apply: false; readonly known: boolean };

/** The store that sessions are in. One that came back empty after a crash is another store. */
async function currentStore(client: PoolClient): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const { rows } = await client.query<{ id: string }>({ name: 'store', text: 'select id from session_store' });
    return rows[0]?.id;
  };
  return (await find()) ?? (await makeStore(client), (await find()) ?? '');
}

/** Makes the store when there is none. */
export async function makeStore(client: Pool | PoolClient): Promise<void> {
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
  const store = await currentStore(client);
  const { rows } = begin
    ? await client.query<{ now: Date; begunSeq: number }>({
        name: 'lease-begin',
        text: `insert into gateway_lease as l (gateway, store, seq, begun_seq, complete, seen_at)
               values ($1, $2, $3, $3, $4, clock_timestamp())
               on conflict (gateway) do update
                 set store = $2, seq = $3, begun_seq = $3, complete = $4, lost = false, seen_at = clock_timestamp()
                 where l.seq < $3 or l.store <> $2 or l.lost
               returning seen_at as now, begun_seq as "begunSeq"`,
        types: asDates,
        values: [gateway, store, seq, end],
      })
    : await client.query<{ now: Date; begunSeq: number }>({
        name: 'lease-extend',
        text: `update gateway_lease set seq = $3, complete = complete or $4, seen_at = clock_timestamp()
                where gateway = $1 and store = $2 and seq = $3 - 1 and not lost
               returning seen_at as now, begun_seq as "begunSeq"`,
        types: asDates,
        values: [gateway, store, seq, end],
      });
  const [taken] = rows;
  if (taken) return { apply: true, ...taken };
  const repeat = await client.query({
    name: 'lease-repeat',
    text: 'select from gateway_lease where gateway = $1 and store = $2 and seq >= $3 and not lost',
    values: [gateway, store, seq],
  });
  return { apply: false, known: repeat.rowCount === 1 };
}

/** When everybody has to be looked at again, because a gateway began to report anew. */
export async function wantCheck(client: PoolClient): Promise<void> {
  await client.query('update session_store set checks_wanted = checks_wanted + 1');
}
