import { readNumbers, usageOf, type NumberOptions } from '../run/number-options.ts';

const PARTS = ['contention', 'reminders', 'stored'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly contenders: number;
  readonly reminders: number;
  readonly stored: number;
  readonly bookings: number;
  readonly atOnce: number;
  readonly maxMinutes: number;
}

const NUMBERS = {
  runs: [3, 15, 'rounds of each measurement'],
  contenders: [200, 2_000, 'contention: bookings of one slot at once'],
  reminders: [10_000, 60_000, 'reminders: appointments whose reminder is due at one instant, each for two parties'],
  stored: [100_000, 500_000, 'stored: appointments in the table'],
  bookings: [3_000, 20_000, 'stored: bookings per round'],
  'at-once': [32, 500, 'stored: bookings under way at once'],
  'max-minutes': [20, 120, 'the bench ends itself after this long'],
} as const satisfies NumberOptions;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { parts, number } = readNumbers(args, PARTS, NUMBERS);
  return {
    parts,
    runs: number('runs'),
    contenders: number('contenders'),
    reminders: number('reminders'),
    stored: number('stored'),
    bookings: number('bookings'),
    atOnce: number('at-once'),
    maxMinutes: number('max-minutes'),
  };
}

export function usage(): string {
  return usageOf('npm run bench:appointments', PARTS, NUMBERS);
}
