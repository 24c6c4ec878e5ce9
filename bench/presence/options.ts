import { readNumbers, usageOf, type NumberOptions } from '../run/number-options.ts';

const PARTS = ['connects', 'storms'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly connects: number;
  readonly watchers: number;
  readonly contacts: number;
  readonly people: number;
  readonly maxMinutes: number;
}

const NUMBERS = {
  runs: [3, 15, 'rounds of each measurement, in turns'],
  connects: [3_000, 10_000, 'connects: connections per round'],
  watchers: [600, 5_000, 'connects: people who are there and watch those who connect'],
  contacts: [20, 200, 'contacts of each person who connects'],
  people: [5_000, 10_000, 'storms: people on one gateway'],
  'max-minutes': [20, 120, 'the bench ends itself after this long'],
} as const satisfies NumberOptions;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { parts, number } = readNumbers(args, PARTS, NUMBERS);
  return {
    parts,
    runs: number('runs'),
    connects: number('connects'),
    watchers: number('watchers'),
    contacts: number('contacts'),
    people: number('people'),
    maxMinutes: number('max-minutes'),
  };
}

export function usage(): string {
  return usageOf('npm run bench:presence', PARTS, NUMBERS);
}
