import { ackedIsSent, deliveredIsStored, viewsAreWhole } from './check-clients.ts';
import { ackedBeforeSentIsEarlier, deliveredInOrder, socketOrderKept } from './check-order.ts';
import {
  ackedIsStored,
  conflictIsNotStored,
  numberedDensely,
  retriesAgree,
  storedIsFact,
  storedOnce,
  storedWasSent,
} from './check-storage.ts';
import type { Evidence } from './history.ts';

/** A sentence for every violation. */
type Checker = (evidence: Evidence) => string[];

const CHECKERS = {
  ackedIsStored,
  ackedIsSent,
  storedOnce,
  storedWasSent,
  storedIsFact,
  numberedDensely,
  retriesAgree,
  conflictIsNotStored,
  socketOrderKept,
  ackedBeforeSentIsEarlier,
  deliveredIsStored,
  deliveredInOrder,
  viewsAreWhole,
} as const satisfies Record<string, Checker>;

/** Where a thousand messages are lost, a few of them say it. */
const MOST_SENTENCES = 5;

/** What is wrong with the evidence, by the checker that found it; nothing when all is well. */
export function violationsOf(evidence: Evidence): Record<string, string[]> {
  const found = Object.entries(CHECKERS).map(([name, check]) => {
    const sentences = check(evidence);
    const rest = sentences.length - MOST_SENTENCES;
    return [name, rest > 0 ? [...sentences.slice(0, MOST_SENTENCES), `and ${rest} more`] : sentences] as const;
  });
  return Object.fromEntries(found.filter(([, sentences]) => sentences.length > 0));
}
