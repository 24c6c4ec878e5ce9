import { readNumbers, usageOf, type NumberOptions } from '../run/number-options.ts';

const PARTS = ['rate', 'creations', 'emails'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly rateSeconds: number;
  readonly inFlight: number;
  readonly users: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly emails: number;
  readonly cutSeconds: number;
  readonly maxMinutes: number;
}

const NUMBERS = {
  runs: [3, 15, 'rate: rounds of each measurement, in turns'],
  'rate-seconds': [5, 60, 'rate: how long is counted in each round'],
  'in-flight': [200, 4_000, 'rate: creations that are not answered yet'],
  users: [500, 5_000, 'rate, creations: users, in creations with a socket each'],
  'per-second': [1_000, 20_000, 'creations: how many a second'],
  seconds: [60, 600, 'creations: for how long'],
  emails: [10_000, 100_000, 'emails: how many'],
  'cut-seconds': [10, 60, 'emails: how long the mail server is cut off'],
  'max-minutes': [20, 120, 'the bench ends itself after this long'],
} as const satisfies NumberOptions;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { parts, number } = readNumbers(args, PARTS, NUMBERS);
  return {
    parts,
    runs: number('runs'),
    rateSeconds: number('rate-seconds'),
    inFlight: number('in-flight'),
    users: number('users'),
    perSecond: number('per-second'),
    seconds: number('seconds'),
    emails: number('emails'),
    cutSeconds: number('cut-seconds'),
    maxMinutes: number('max-minutes'),
  };
}

export function usage(): string {
  return usageOf('npm run bench:notifications', PARTS, NUMBERS);
}
