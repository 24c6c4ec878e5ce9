import { readNumbers, usageOf, type NumberOptions } from '../run/number-options.ts';

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
} as const satisfies NumberOptions;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { parts, number } = readNumbers(args, PARTS, NUMBERS);
  return {
    parts,
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
  return usageOf('npm run bench:gateway', PARTS, NUMBERS);
}
