import type { Browser } from './push-subscription.ts';
import type { Texts } from './texts.ts';

/** What became of an attempt. */
export type Outcome =
  /** The other side has taken it over. */
  | { readonly kind: 'sent' }
  /** It failed this time. */
  | { readonly kind: 'failed'; readonly code: string }
  /** It will never work. */
  | { readonly kind: 'refused'; readonly code: string }
  /** There is nobody there any more: the browser has withdrawn. */
  | { readonly kind: 'gone'; readonly code: string }
  /** The channel itself does not work, whatever is sent over it: the delivery is not to blame. */
  | { readonly kind: 'outage'; readonly code: string };

/** What is sent: nothing of it says more than that there is something new. */
export interface Parcel {
  readonly deliveryId: string;
  readonly notificationId: string;
  readonly userId: string;
  readonly type: string;
  readonly critical: boolean;
  /** How many messages it stands for. */
  readonly count: number;
  readonly expiresAt: Date | null;
  readonly texts: Texts;
  /** For an e-mail. */
  readonly email: string | undefined;
  /** For a push. */
  readonly browser: Browser | undefined;
}

/** A way out. It tries once and says what became of it. */
export type Send = (parcel: Parcel) => Promise<Outcome>;

/** @returns a code without spaces or text: what servers say may quote an address */
export function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  const found = [code, name].find(text => typeof text === 'string' && /^\w{1,40}$/.test(text));
  return typeof found === 'string' ? found : 'unknown';
}
