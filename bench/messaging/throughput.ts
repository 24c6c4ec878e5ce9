import { setTimeout as sleep } from 'node:timers/promises';
import { isUserRequest } from '@rapport/contracts';
import { alternate } from '../measure/alternate.ts';
import type { Comparison, Cost, Findings, Observation } from '../measure/comparison.ts';
import { startMemory, startMonolith, startProduct, type Ground, type Server } from './servers.ts';
import { talk, type Seen, type TalkOptions } from './talk.ts';

/** Messages a second that are acknowledged, in the product after they are committed. */
export async function measureThroughput(
  ground: Ground,
  options: TalkOptions & { runs: number; baselineConnections: number },
): Promise<Findings> {
  const behind: number[] = [];
  const measure = async (starting: Promise<Server>, receipts = false): Promise<Seen> => {
    const server = await starting;
    try {
      const seen = await talk(ground, server, options, { receipts });
      if (server.factsWaiting) behind.push(await secondsUntilNone(server.factsWaiting));
      return seen;
    } finally {
      await server.stop();
    }
  };
  const product = (receipts: boolean) => () => measure(startProduct(ground, { pairs: options.pairs }), receipts);
  const variants: Record<string, () => Promise<Seen>> = {
    product: product(false),
    ...(isUserRequest('message:read') ? { receipts: product(true) } : {}),
    monolith: () => measure(startMonolith(ground, options.baselineConnections)),
    memory: () => measure(startMemory(ground)),
  };
  const seen = await alternate(options.runs, variants);
  return {
    comparisons: comparisonsOf(seen),
    observations: [...observationsOf(seen), keptUp(behind)],
    costs: costsOf(seen),
  };
}

/** Whatever is not done within the talk itself would make it look faster than it is. */
const MOST_BEHIND_SECONDS = 5;
const LOOK_EVERY_MS = 100;
const GIVE_UP_SECONDS = 60;

async function secondsUntilNone(factsWaiting: () => Promise<number>): Promise<number> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1_000;
  while ((await factsWaiting()) > 0 && seconds() < GIVE_UP_SECONDS) await sleep(LOOK_EVERY_MS);
  return seconds();
}

function keptUp(behind: readonly number[]): Observation {
  return {
    what: 'seconds until the notification service had looked at every message',
    seen: behind.map(seconds => seconds.toFixed(1)).join(' '),
    holds: behind.every(seconds => seconds <= MOST_BEHIND_SECONDS),
  };
}

const NAMES: Record<string, string> = {
  product: 'the product',
  receipts: 'the product, receipts on',
  monolith: 'Socket.IO with an insert for each message',
  memory: 'Socket.IO that stores nothing',
};

function comparisonsOf(seen: Readonly<Record<string, Seen[]>>): Comparison[] {
  const { product = [], receipts = [], monolith = [], memory = [] } = seen;
  const compare = (
    field: 'ackedPerSecond' | 'deliveredPerSecond' | 'p50' | 'p99',
    what: string,
    [own, other, baselineName]: readonly [Seen[], Seen[], string | undefined],
    bar?: Comparison['bar'],
  ): Comparison => ({
    what,
    unit: field.startsWith('p') ? 'ms' : '/s',
    product: own.map(each => each[field]),
    baseline: other.map(each => each[field]),
    baselineName: baselineName ?? '',
    ...(bar && { bar }),
  });
  const [withInsert, withNothing] = [
    [product, monolith, NAMES['monolith']],
    [product, memory, NAMES['memory']],
  ] as const;
  return [
    compare('ackedPerSecond', 'acknowledged', withInsert, { atLeast: 1.5 }),
    compare('ackedPerSecond', 'acknowledged', withNothing, { atLeast: 0.22 }),
    compare('deliveredPerSecond', 'delivered', withInsert),
    compare('p50', 'emit to ack, p50', withInsert),
    compare('p99', 'emit to ack, p99', withInsert),
    ...(receipts.length > 0
      ? [compare('ackedPerSecond', 'acknowledged, receipts on', [receipts, product, 'receipts off'], { atLeast: 0.5 })]
      : []),
  ];
}

/** Everybody got what was promised: nothing refused, and as much delivered as acknowledged. */
function observationsOf(seen: Readonly<Record<string, Seen[]>>): Observation[] {
  return Object.entries(seen).map(([name, rounds]) => {
    const failures = rounds.map(({ failures: each }) => JSON.stringify(each));
    return {
      what: `refused by ${NAMES[name] ?? name}`,
      seen: failures.join(' '),
      holds: failures.every(text => text === '{}'),
    };
  });
}

function costsOf(seen: Readonly<Record<string, Seen[]>>): Cost[] {
  return Object.entries(seen).map(([name, rounds]) => costOf(NAMES[name] ?? name, rounds));
}

export function costOf(what: string, rounds: readonly Seen[]): Cost {
  const names = Object.keys(rounds[0]?.cpu ?? {});
  const microseconds = names.map(name => [name, rounds.map(({ cpu }) => cpu[name] ?? 0)] as const);
  return { what, microseconds: Object.fromEntries(microseconds) };
}
