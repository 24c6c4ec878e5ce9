import type { BusObserver } from '@rapport/bus';

const nothing = (): void => undefined;

/** For a test that only watches. */
export const silentObserver: BusObserver = {
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  requestEnded: nothing,
  answerEnded: nothing,
  setAside: nothing,
  consumed: nothing,
  fatal: nothing,
};
