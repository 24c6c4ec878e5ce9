import { request } from 'node:https';
import type { Agent } from 'node:https';
import webPush from 'web-push';
import { codeOf, type Outcome, type Parcel, type Send } from './sending.ts';

export interface VapidKeys {
  readonly subject: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

/** The library's own default keeps a push for four weeks: news of that age is none. */
const TTL_SECONDS = 24 * 60 * 60;
const TIMEOUT_MS = 10_000;

/**
 * Pushes to a browser (RFC 8030, 8291, 8292). The library encrypts and signs; the request is made here, because
 * its own reads whatever the other side answers, without a limit of time or size.
 */
export function createSendPush(options: { vapid: VapidKeys; agent: Agent; now: () => Date }): Send {
  const { vapid, agent, now } = options;
  return async parcel => {
    if (!parcel.browser) return { kind: 'gone', code: 'unsubscribed' };
    let details: webPush.RequestDetails;
    try {
      details = webPush.generateRequestDetails(parcel.browser, payloadOf(parcel), {
        vapidDetails: vapid,
        TTL: ttlOf(parcel, now()),
        urgency: parcel.critical ? 'high' : 'normal',
        // A later push about the same notification replaces one that is not shown yet. At most 32 characters.
        topic: parcel.notificationId.replaceAll('-', ''),
      });
    } catch {
      return { kind: 'refused', code: 'unusable_keys' };
    }
    try {
      return outcomeOf(await post(details, agent));
    } catch (error) {
      return { kind: 'failed', code: codeOf(error) };
    }
  };
}

function payloadOf({ notificationId, type, count, texts }: Parcel): string {
  return JSON.stringify({ id: notificationId, title: texts.discreet(type, count), tag: notificationId });
}

function ttlOf({ expiresAt }: Parcel, now: Date): number {
  if (!expiresAt) return TTL_SECONDS;
  return Math.max(0, Math.min(TTL_SECONDS, Math.floor((expiresAt.getTime() - now.getTime()) / 1_000)));
}

/** Resolves to the status; of the answer nothing else is read. */
function post({ endpoint, headers, body }: webPush.RequestDetails, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(
      endpoint,
      { method: 'POST', headers, agent, signal: AbortSignal.timeout(TIMEOUT_MS) },
      response => {
        resolve(response.statusCode ?? 0);
        response.on('error', () => undefined);
        // A push service answers with next to nothing. A connection with more on it is not used again.
        response.destroy();
      },
    );
    sending.on('error', reject);
    sending.end(body);
  });
}

/** RFC 8030, 5 and 7.3: gone for good, too large, or try again. A redirect is not followed. */
function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const code = `http_${status}`;
  if (status === 404 || status === 410) return { kind: 'gone', code };
  if (status === 408 || status === 429 || status >= 500) return { kind: 'failed', code };
  return { kind: 'refused', code };
}
