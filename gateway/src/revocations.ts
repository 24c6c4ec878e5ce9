import { setTimeout as sleep } from 'node:timers/promises';
import { onBroadcast, onReconnected, requestAsGateway, type Bus } from '@rapport/bus';
import { AppError, type GatewayActor } from '@rapport/contracts';
import type { ProcessContext } from '@rapport/service';
import { AuthenticationError, type Identity } from './authenticate.ts';
import { openRevocationFile, type RevocationFile, type Revoked } from './revocation-file.ts';

export interface Revocations {
  /**
   * Refuses a token that was issued before its user's sessions were revoked.
   * @throws AuthenticationError `revoked`; AppError `UNAVAILABLE` when nobody could say yet whether it was
   */
  check(identity: Identity): void;
  /** Whether the token has been revoked since it was let in. */
  isRevoked(identity: Identity): boolean;
  /** Calls `listener` with each user whose sessions are revoked from now on. */
  onRevoked(listener: (userId: string) => void): void;
  /** The presence service says what the latest one is: if it is not known here, it is asked for. */
  heardOf(number: number): void;
}

/** How long a gateway that knows no list waits for the presence service before it goes on without. */
const START_PATIENCE_MS = 5_000;
const RETRY_MS = 250;
const RETRY_AFTER_MS = 1_000;

/**
 * The revocations, all of them, so that no handshake needs a request. Loaded before the gateway is ready, again when
 * NATS was away, and whenever a report says that there is one more than is known here.
 *
 * While the presence service is down nothing can be revoked, so the last known list is right. A gateway that starts
 * meanwhile takes it from its file. Where there is none, it can vouch only for tokens that were issued since it
 * started: they are let in, and the others are told to come again.
 */
export async function startRevocations(context: ProcessContext<'gateway'>, actor: GatewayActor): Promise<Revocations> {
  const { bus, config, log, metrics, stopping, onStop } = context;
  const revoked = new Map<string, number>();
  const listeners: ((userId: string) => void)[] = [];
  let file: RevocationFile | undefined;
  /** Every one up to this number is known; `undefined`: not loaded yet. */
  let known: number | undefined;
  let vouchesFrom = 0;
  /** Whether all that is known is in the file. */
  let isRecorded = false;
  let loading: Promise<void> | undefined;

  const keep = (found: readonly Revoked[]): Revoked[] => {
    const news = found.filter(({ userId, revokedBefore }) => {
      if ((revoked.get(userId) ?? 0) >= revokedBefore) return false;
      revoked.set(userId, revokedBefore);
      return true;
    });
    for (const { userId } of news) for (const listener of listeners) listener(userId);
    return news;
  };

  const learn = (found: readonly Revoked[]): void => {
    const news = keep(found);
    if (news.length > 0 && isRecorded) file?.append(news);
  };

  const loadAfter = async (from: number): Promise<void> => {
    for (let after = from; ;) {
      const { revocations, last } = await listAfter(bus, actor, after);
      learn(revocations);
      if (last < after) {
        // The database is another one, which began anew.
        after = 0;
        continue;
      }
      after = Math.max(after, revocations.at(-1)?.number ?? last);
      if (after < last) continue;
      known = after;
      break;
    }
    if (vouchesFrom > 0) log.info('revocations are known from now on');
    vouchesFrom = 0;
    // Even without a line the file says that the list was known; so it is not made before.
    if (!isRecorded) file?.append([...revoked].map(([userId, revokedBefore]) => ({ userId, revokedBefore })));
    isRecorded = true;
  };
  const load = (from: number): Promise<void> => (loading ??= loadAfter(from).finally(() => (loading = undefined)));

  const loadUntilDone = async (signal: AbortSignal): Promise<void> => {
    for (let isFirst = true; known === undefined && !signal.aborted; isFirst = false) {
      try {
        await load(0);
      } catch (error) {
        if (isFirst) log.warn({ err: error }, 'revocations could not be loaded, trying again');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const loadSince = (number: number): void => {
    load(number).catch((error: unknown) => log.warn({ err: error }, 'revocations could not be loaded'));
  };

  const listening = onBroadcast(bus, 'session.revoked', one => {
    learn([one]);
    if (known !== undefined && one.number === known + 1) known = one.number;
  });
  onStop('revocations', () => listening.stop());
  await listening.established();
  onReconnected(bus, () => loadSince(known ?? 0));
  metrics.gauge('rapport_revocations', 'Users whose earlier tokens are refused.', () => revoked.size);

  let hasList = false;
  if (config.REVOCATIONS_PATH !== undefined) {
    const opened = await openRevocationFile(config.REVOCATIONS_PATH, error =>
      log.error({ err: error }, 'revocations could not be written to their file'),
    );
    file = opened.file;
    hasList = opened.known !== undefined;
    isRecorded = hasList;
    keep(opened.known ?? []);
  }
  if (hasList) await load(0).catch((error: unknown) => log.warn({ err: error }, 'revocations are those of the file'));
  else await loadUntilDone(AbortSignal.any([stopping, AbortSignal.timeout(START_PATIENCE_MS)]));
  if (known === undefined && !hasList) {
    // A token says in whole seconds when it was issued.
    vouchesFrom = Math.floor(Date.now() / 1_000) * 1_000;
    log.error('revocations are not known: only tokens issued from now on are let in');
  }
  void loadUntilDone(stopping);

  const isRevoked = (identity: Identity): boolean => identity.issuedAt < (revoked.get(identity.actor.userId) ?? 0);
  return {
    isRevoked,
    check(identity) {
      if (isRevoked(identity)) throw new AuthenticationError('revoked');
      if (identity.issuedAt < vouchesFrom) throw notKnownYet();
    },
    onRevoked: listener => void listeners.push(listener),
    heardOf(number) {
      // A lower one may have been read before what is known; only a list says for sure.
      if (known !== undefined && number !== known) loadSince(known);
    },
  };
}

function notKnownYet(): AppError {
  return new AppError('UNAVAILABLE', 'it is not known yet whether this token was revoked', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

async function listAfter(bus: Bus, actor: GatewayActor, after: number) {
  const reply = await requestAsGateway(bus, 'revocation.list', { actor, input: { after } });
  const ack = reply.read();
  if (!ack.ok) throw new Error(`${ack.error.code}: ${ack.error.message}`);
  return ack.data;
}
