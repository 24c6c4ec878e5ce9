import { asDates } from '@rapport/service/database';
import type { Pool, PoolClient } from 'pg';
import { MAX_ATTEMPTS, nextAttempt } from './back-off.ts';
import type { AwayChannel } from './delivery.ts';
import type { Outcome } from './sending.ts';

/** A delivery that this process alone may send, until its lease ends. */
export interface Claimed {
  readonly id: string;
  readonly notificationId: string;
  readonly target: string;
  readonly attempts: number;
  readonly leaseId: string;
}

/** Longer than any attempt takes; a process that died gives its deliveries up after this. */
const LEASE_SECONDS = 120;

/** Claims what is due. Rows that another replica is claiming are passed over, those it has claimed are not due. */
export async function claimDeliveries(
  pool: Pool,
  channel: AwayChannel,
  limit: number,
  leaseId: string,
): Promise<Claimed[]> {
  const { rows } = await pool.query<Claimed>({
    name: 'delivery-claim',
    text: `update delivery d
              set lease_id = $3, leased_until = now() + $4 * interval '1 second', attempts = attempts + 1
             from (select id from delivery
                    where channel = $1 and state = 'pending' and next_attempt_at <= now()
                      and (leased_until is null or leased_until < now())
                    order by next_attempt_at limit $2 for update skip locked) due
            where d.id = due.id
        returning d.id, d.notification_id as "notificationId", d.target, d.attempts, d.lease_id as "leaseId"`,
    types: asDates,
    values: [channel, limit, leaseId, LEASE_SECONDS],
  });
  return rows;
}

/** What is written down about a claimed delivery. */
export type Verdict =
  | { readonly state: 'sent' | 'cancelled' | 'dead'; readonly error: string | null }
  | { readonly state: 'pending'; readonly error: string | null; readonly at: Date; readonly attempts: number };

/** @param random from 0 to 1 */
export function verdictOn(
  outcome: Outcome,
  { attempts }: Pick<Claimed, 'attempts'>,
  now: Date,
  firstMs: number,
  random: number,
): Verdict {
  switch (outcome.kind) {
    case 'sent':
      return { state: 'sent', error: null };
    case 'gone':
      return { state: 'cancelled', error: outcome.code };
    case 'refused':
      return { state: 'dead', error: outcome.code };
    case 'outage':
      // Not one of its attempts.
      return { state: 'pending', error: outcome.code, at: now, attempts: attempts - 1 };
    case 'failed':
      return attempts >= MAX_ATTEMPTS
        ? { state: 'dead', error: outcome.code }
        : { state: 'pending', error: outcome.code, at: nextAttempt(now, attempts, firstMs, random), attempts };
  }
}

/** Writes the verdict and gives the lease up. @returns whether the lease was still its own */
export async function settleDelivery(client: PoolClient, claimed: Claimed, verdict: Verdict): Promise<boolean> {
  const waits = verdict.state === 'pending';
  const { rowCount } = await client.query({
    name: 'delivery-settle',
    text: `update delivery
              set state = $3, last_error = $4, lease_id = null, leased_until = null,
                  next_attempt_at = coalesce($5, next_attempt_at), attempts = coalesce($6, attempts),
                  ended_at = case when $3 = 'pending' then null else now() end
            where id = $1 and lease_id = $2`,
    values: [
      claimed.id,
      claimed.leaseId,
      verdict.state,
      verdict.error,
      waits ? verdict.at : null,
      waits ? verdict.attempts : null,
    ],
  });
  return rowCount === 1;
}
