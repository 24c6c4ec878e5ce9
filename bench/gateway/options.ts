import { parseArgs } from 'node:util';

const PARTS = ['memory', 'delivery', 'connects', 'hostile'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly sockets: number;
  readonly users: number;
  readonly deliveries: number;
  readonly deliveriesPerSecond: number;
  readonly connects: number;
  readonly crowd: number;
  readonly silent: number;
  readonly pairs: number;
  readonly messagesPerSecond: number;
  readonly phaseSeconds: number;
  readonly flood: number;
  readonly maxMinutes: number;
}

/** Each with its default, the most it may be, and what it means. */
const NUMBERS = {
  runs: [3, 15, 'rounds of each measurement, in turns'],
  sockets: [5_000, 10_000, 'memory: idle connections'],
  users: [1_000, 10_000, 'delivery: users with a socket each'],
  deliveries: [50_000, 1_000_000, 'delivery: messages counted per round'],
  'deliveries-per-second': [5_000, 50_000, 'delivery: at which rate'],
  connects: [4_000, 10_000, 'connects: connections per round'],
  crowd: [10_000, 15_000, 'hostile: idle sockets'],
  silent: [1_000, 3_000, 'hostile: connections that never authenticate'],
  pairs: [50, 500, 'hostile: well-behaved pairs'],
  'messages-per-second': [100, 2_000, 'hostile: messages of all pairs together'],
  'phase-seconds': [10, 60, 'hostile: length of a phase'],
  flood: [0, 100_000, 'hostile: events a second of the client that floods; 0: as many as the gateway takes'],
  'max-minutes': [20, 120, 'the bench ends itself after this long'],
} as const satisfies Record<string, readonly [usual: number, most: number, meaning: string]>;

type NumberName = keyof typeof NUMBERS;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: Object.fromEntries(Object.keys(NUMBERS).map(name => [name, { type: 'string' }])),
  } as const);
  const unknown = positionals.filter(part => !isPart(part));
  if (unknown.length > 0) throw new RangeError(`${unknown.join(', ')}: the parts are ${PARTS.join(', ')}`);
  const number = (name: NumberName): number => {
    const [usual, most] = NUMBERS[name];
    const value = Number(values[name] ?? usual);
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw new RangeError(`--${name} must be a whole number from 0 to ${most}`);
  };
  return {
    parts: positionals.length > 0 ? positionals.filter(isPart) : PARTS,
    runs: number('runs'),
    sockets: number('sockets'),
    users: number('users'),
    deliveries: number('deliveries'),
    deliveriesPerSecond: number('deliveries-per-second'),
    connects: number('connects'),
    crowd: number('crowd'),
    silent: number('silent'),
    pairs: number('pairs'),
    messagesPerSecond: number('messages-per-second'),
    phaseSeconds: number('phase-seconds'),
    flood: number('flood'),
    maxMinutes: number('max-minutes'),
  };
}

export function usage(): string {
  const lines = Object.entries(NUMBERS).map(
    ([name, [usual, most, meaning]]) => `  --${name.padEnd(22)} ${meaning} (${usual}, at most ${most})`,
  );
  return [`npm run bench:gateway -- [${PARTS.join('|')} …] [--option number …]`, ...lines].join('\n');
}

function isPart(text: string): text is Part {
  return (PARTS as readonly string[]).includes(text);
}
