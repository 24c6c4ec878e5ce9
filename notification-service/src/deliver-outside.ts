import { setTimeout as sleep } from 'node:timers/promises';
import type { Seal } from '@rapport/service/seal';
import { asDates, inTransaction, repeat } from '@rapport/service/database';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { v4 as uuidv4 } from 'uuid';
import { preferencesOf, type Chosen } from './choices.ts';
import { claimDeliveries, settleDelivery, verdictOn, type Claimed, type Verdict } from './claim-deliveries.ts';
import { decideDelivery } from './decide-delivery.ts';
import type { AwayChannel } from './delivery.ts';
import { planAgainIfGrown } from './plan-again.ts';
import type { AskPresence } from './presence.ts';
import { openPerson } from './profile.ts';
import { openBrowser } from './push-subscription.ts';
import { codeOf, type Outcome, type Parcel, type Send } from './sending.ts';
import type { TextsOf } from './texts.ts';

interface OutsideOptions {
  pool: Pool;
  log: Logger;
  seal: Seal;
  textsOf: TextsOf;
  askPresence: AskPresence;
  escalateAfterMs: number;
  retryFirstMs: number;
  counted: (channel: AwayChannel, outcome: string) => void;
  stopping: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
}

/** How often is looked for what is due. */
const POLL_MS = 500;
/** A channel that is out is tried again after 1, 2, 4 … 30 s, with one delivery. */
const OUTAGE_FIRST_MS = 1_000;
const OUTAGE_LAST_MS = 30_000;
/** What was sent is written down until it works: forgotten, it would be sent again. */
const SETTLE_AGAIN_MS = 200;
const SETTLE_FOR_MS = 60_000;
/** Less than the deadline of a stop. */
const STOP_MS = 1_500;

/** Sends what is due over one channel, at most `atOnce` at a time, until the process stops. */
export function startDelivering(
  options: OutsideOptions,
  channel: AwayChannel,
  { send, atOnce }: { send: Send; atOnce: number },
): void {
  const { pool, log, stopping, counted } = options;
  const leaseId = uuidv4();
  const underWay = new Set<Promise<void>>();
  let outages = 0;

  /** @param before how many outages in a row there had been: those that began together count as one */
  const note = (outcome: Attempted['outcome'], before: number): void => {
    counted(channel, outcome);
    if (outcome === 'cancelled' || outcome === 'deferred') return;
    if (outcome !== 'outage') outages = 0;
    else if (outages === before) {
      outages += 1;
      log.warn(
        { channel, outages, seconds: outageWait(outages) / 1_000 },
        'the channel is out, it will be tried again',
      );
    }
  };

  const deliverOne = async (claimed: Claimed, before: number): Promise<void> => {
    const { outcome, ...attempted } = await attempt(options, channel, send, claimed);
    note(outcome, before);
    await settle(options, claimed, attempted);
  };

  const round = async (): Promise<void> => {
    for (;;) {
      if (outages > 0) await sleep(outageWait(outages), undefined, { signal: stopping }).catch(() => undefined);
      if (stopping.aborted) return;
      const free = outages > 0 ? 1 : atOnce - underWay.size;
      const claimed = await claimDeliveries(pool, channel, free, leaseId);
      for (const each of claimed) {
        const work = deliverOne(each, outages)
          .catch((error: unknown) => log.error({ delivery: each.id, err: error }, 'a delivery failed, it comes again'))
          .finally(() => underWay.delete(work));
        underWay.add(work);
      }
      if (claimed.length === 0) return;
      if (outages > 0) await Promise.all(underWay);
      else if (underWay.size >= atOnce) await Promise.race(underWay);
      else if (claimed.length < free) return;
    }
  };

  const loop = repeat(`deliver ${channel}`, POLL_MS, round, log, stopping);
  options.onStop(`deliveries ${channel}`, async () => {
    await loop;
    // What is not over by then is given up with the process, and comes again when its lease ends.
    await Promise.race([Promise.all(underWay), sleep(STOP_MS, undefined, { ref: false })]);
  });
}

function outageWait(outages: number): number {
  return Math.min(OUTAGE_FIRST_MS * 2 ** (outages - 1), OUTAGE_LAST_MS);
}

interface Attempted {
  readonly outcome: Outcome['kind'] | 'cancelled' | 'deferred';
  readonly verdict: Verdict;
  /** When what was sent had last grown. */
  readonly toldOf?: Date;
}

async function attempt(
  options: OutsideOptions,
  channel: AwayChannel,
  send: Send,
  claimed: Claimed,
): Promise<Attempted> {
  const { retryFirstMs } = options;
  const found = await look(options, channel, claimed);
  if (!found) return { outcome: 'cancelled', verdict: { state: 'cancelled', error: null } };
  const { decision, parcel, touchedAt } = found;
  if (decision.do === 'cancel') return { outcome: 'cancelled', verdict: { state: 'cancelled', error: null } };
  if (decision.do === 'wait') {
    const verdict = { state: 'pending', error: null, at: decision.until, attempts: claimed.attempts - 1 } as const;
    return { outcome: 'deferred', verdict };
  }
  const outcome = await send(parcel).catch((error: unknown) => ({ kind: 'failed', code: codeOf(error) }) as const);
  if (outcome.kind === 'gone' && channel === 'webPush') await forgetBrowser(options.pool, claimed.target);
  const verdict = verdictOn(outcome, claimed, new Date(), retryFirstMs, Math.random());
  return { outcome: outcome.kind, verdict, toldOf: touchedAt };
}

interface Found {
  userId: string;
  type: string;
  priority: string;
  seqs: number[];
  touchedAt: Date;
  expiresAt: Date | null;
  over: boolean;
  chosen: Chosen | null;
  locale: string | null;
  timeZone: string | null;
  personSealed: Buffer | null;
  personKeyId: string | null;
  browserSealed: Buffer | null;
  browserKeyId: string | null;
}

/** Looks at everything once more, right before it is sent: what was read meanwhile stays here. */
async function look(
  { pool, seal, textsOf, askPresence, escalateAfterMs }: OutsideOptions,
  channel: AwayChannel,
  claimed: Claimed,
): Promise<{ parcel: Parcel; decision: ReturnType<typeof decideDelivery>; touchedAt: Date } | undefined> {
  const { rows } = await pool.query<Found>({
    name: 'delivery-look',
    text: `select n.user_id as "userId", n.type, n.priority, n.seqs, n.touched_at as "touchedAt",
                  n.expires_at as "expiresAt", c.chosen, p.locale, p.time_zone as "timeZone",
                  n.read_at is not null or n.archived_at is not null or coalesce(n.expires_at <= now(), false) as over,
                  p.sealed as "personSealed", p.key_id as "personKeyId",
                  s.sealed as "browserSealed", s.key_id as "browserKeyId"
             from notification n
             left join preference c on c.user_id = n.user_id
             left join profile p on p.user_id = n.user_id
             left join push_subscription s on s.id = $2 and s.user_id = n.user_id
            where n.id = $1`,
    types: asDates,
    values: [claimed.notificationId, claimed.target],
  });
  const [row] = rows;
  if (!row) return undefined;
  const { userId, type, touchedAt, over, expiresAt } = row;
  const critical = row.priority === 'critical';
  const decision = decideDelivery(
    new Date(),
    {
      channel,
      type,
      critical,
      touchedAt,
      over,
      preferences: preferencesOf(row.chosen),
      timeZone: row.timeZone ?? undefined,
      status: over ? undefined : (await askPresence([userId])).get(userId),
    },
    escalateAfterMs,
  );
  const parcel: Parcel = {
    deliveryId: claimed.id,
    notificationId: claimed.notificationId,
    userId,
    type,
    critical,
    count: Math.max(1, row.seqs.length),
    expiresAt,
    texts: textsOf(row.locale),
    email:
      channel === 'email' && row.personSealed && row.personKeyId
        ? openPerson({ userId, sealed: row.personSealed, keyId: row.personKeyId }, seal).email
        : undefined,
    browser:
      channel === 'webPush' && row.browserSealed && row.browserKeyId
        ? openBrowser({ id: claimed.target, sealed: row.browserSealed, keyId: row.browserKeyId }, seal)
        : undefined,
  };
  return { parcel, decision, touchedAt };
}

async function forgetBrowser(pool: Pool, subscriptionId: string): Promise<void> {
  await pool.query('delete from push_subscription where id = $1', [subscriptionId]);
}

async function settle(
  { pool, log }: OutsideOptions,
  claimed: Claimed,
  { verdict, toldOf }: Omit<Attempted, 'outcome'>,
): Promise<void> {
  const until = Date.now() + SETTLE_FOR_MS;
  for (;;) {
    try {
      const held = await inTransaction(pool, async client => {
        const isOwn = await settleDelivery(client, claimed, verdict);
        if (isOwn && toldOf && verdict.state === 'sent') await planAgainIfGrown(client, claimed.id, toldOf);
        return isOwn;
      });
      if (!held) log.error({ delivery: claimed.id, state: verdict.state }, 'a delivery outlived its lease');
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      log.warn({ delivery: claimed.id, err: error }, 'the outcome of a delivery is not written down yet');
      await sleep(SETTLE_AGAIN_MS);
    }
  }
}
