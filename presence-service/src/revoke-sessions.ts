import { broadcast, type Bus, type GatewayCall, type ServiceRequest } from '@rapport/bus';
import { MAX_REVOCATIONS, type GatewayCallOutput, type ServiceOutput } from '@rapport/contracts';
import { asDates, type Database } from '@rapport/service/database';
import type { Pool } from 'pg';
import { RevocationEntity, type RevocationRow } from './revocation.ts';

/** Commits the revocation, then tells every gateway. One that misses it learns of it with its next report. */
export function createRevokeSessions({ bus, pool, log }: { bus: Bus; pool: Pool; log: Bus['observer']['log'] }) {
  return async ({ actor, input }: ServiceRequest<'session.revoke'>): Promise<ServiceOutput<'session.revoke'>> => {
    // The row of the counter is locked until the commit: who sees a number has seen all before it.
    const { rows } = await pool.query<RevocationRow>({
      text: `with next as (update revocation_counter set last = last + 1 returning last)
             insert into revocation as r (user_id, revoked_before, number)
             select $1, date_trunc('milliseconds', clock_timestamp()), last from next
             on conflict (user_id) do update
               set revoked_before = greatest(r.revoked_before, excluded.revoked_before), number = excluded.number
             returning user_id as "userId", revoked_before as "revokedBefore", number`,
      types: asDates,
      values: [input.userId],
    });
    const [revocation] = rows;
    if (!revocation) throw new Error('a revocation that was just written is not there');
    broadcast(bus, 'session.revoked', toWire(revocation));
    log.info({ user: input.userId, by: actor.service, onBehalfOf: actor.onBehalfOf }, 'sessions were revoked');
    return { revokedBefore: revocation.revokedBefore.toISOString() };
  };
}

/** What a gateway has not heard yet. */
export function createListRevocations({ orm, pool }: { orm: Database['orm']; pool: Pool }) {
  return async ({ input }: GatewayCall<'revocation.list'>): Promise<GatewayCallOutput<'revocation.list'>> => {
    // First the number: what is committed after it is in the next list.
    const counter = await pool.query<{ last: number }>('select last from revocation_counter');
    const found = await orm.em
      .fork()
      .find(RevocationEntity, { number: { $gt: input.after } }, { orderBy: { number: 'asc' }, limit: MAX_REVOCATIONS });
    return { revocations: found.map(toWire), last: counter.rows[0]?.last ?? 0 };
  };
}

function toWire({ userId, revokedBefore, number }: RevocationRow) {
  return { userId, revokedBefore: revokedBefore.getTime(), number };
}
