import type { GatewayCall } from '@rapport/bus';
import { MAX_PRESENCES, type GatewayCallOutput, type Presence } from '@rapport/contracts';
import type { Pool } from 'pg';
import type { ContactPolicy } from './announce.ts';
import { anybodyThere, contactsThere, toPresence, type ContactsThere } from './contacts.ts';

/** People of one query, and presences of one reply: below 700 KB, where NATS carries 1 MB. */
const MOST_VIEWERS = 250;
const MOST_TOLD = 5_000;

/** What each of these connected users sees: the contacts who are not offline. */
export function createStatePresence({ pool, policy }: { pool: Pool; policy: ContactPolicy }) {
  return async ({ input }: GatewayCall<'presence.state'>): Promise<GatewayCallOutput<'presence.state'>> => {
    const viewers = input.userIds.slice(0, MOST_VIEWERS);
    if (policy === 'open') return { states: await statesOfAll(pool, viewers) };
    return { states: statesOf(viewers, await contactsThere(pool, viewers)) };
  };
}

/** … where the contacts who are there are known. As many as fit, from the first on. */
export function statesOf(viewers: readonly string[], there: ContactsThere): Presence[][] {
  return fitting(viewers, viewer => (there.get(viewer) ?? []).slice(0, MAX_PRESENCES).map(toPresence));
}

/** … where everybody sees everybody. */
export async function statesOfAll(pool: Pool, viewers: readonly string[]): Promise<Presence[][]> {
  const shown = (await anybodyThere(pool)).map(toPresence);
  return fitting(viewers, viewer => shown.filter(({ userId }) => userId !== viewer).slice(0, MAX_PRESENCES));
}

function fitting(viewers: readonly string[], stateOf: (viewer: string) => Presence[]): Presence[][] {
  const states: Presence[][] = [];
  let told = 0;
  for (const viewer of viewers) {
    const state = stateOf(viewer);
    told += state.length;
    // Always the first, or nobody would ever get on.
    if (told > MOST_TOLD && states.length > 0) break;
    states.push(state);
  }
  return states;
}
