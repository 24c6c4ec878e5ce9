import { readNumbers, usageOf, type NumberOptions } from '../run/number-options.ts';

const PARTS = ['throughput', 'latency', 'stored', 'gateways'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly pairs: number;
  readonly inFlight: number;
  readonly size: number;
  readonly processes: number;
  readonly connected: number;
  readonly messagesPerSecond: number;
  readonly storedMessages: number;
  readonly storedConversations: number;
  readonly gateways: number;
  readonly baselineConnections: number;
  readonly maxMinutes: number;
}

const NUMBERS = {
  runs: [3, 15, 'rounds of each measurement, in turns'],
  seconds: [8, 120, 'how long is counted in each round'],
  'warm-up-seconds': [4, 60, 'how long is talked before it is counted'],
  pairs: [100, 2_000, 'pairs of people who write to each other'],
  'in-flight': [8, 200, 'messages of each person that are not acknowledged yet'],
  size: [120, 10_000, 'characters in a message'],
  processes: [1, 8, 'processes that make the load'],
  connected: [500, 4_000, 'latency: people connected'],
  'messages-per-second': [200, 5_000, 'latency: messages of all of them together'],
  'stored-messages': [1_000_000, 20_000_000, 'stored: messages in the large database'],
  'stored-conversations': [10_000, 200_000, 'stored: conversations in the large database'],
  gateways: [4, 16, 'gateways: how many are compared with one'],
  'baseline-connections': [10, 190, 'database connections of the server with an insert for each message'],
  'max-minutes': [60, 240, 'the bench ends itself after this long'],
} as const satisfies NumberOptions;

/** @throws RangeError, TypeError with a sentence for a person */
export function readOptions(args: readonly string[]): Options {
  const { parts, number } = readNumbers(args, PARTS, NUMBERS);
  return {
    parts,
    runs: number('runs'),
    seconds: number('seconds'),
    warmUpSeconds: number('warm-up-seconds'),
    pairs: number('pairs'),
    inFlight: number('in-flight'),
    size: number('size'),
    processes: number('processes'),
    connected: number('connected'),
    messagesPerSecond: number('messages-per-second'),
    storedMessages: number('stored-messages'),
    storedConversations: number('stored-conversations'),
    gateways: number('gateways'),
    baselineConnections: number('baseline-connections'),
    maxMinutes: number('max-minutes'),
  };
}

export function usage(): string {
  return usageOf('npm run bench', PARTS, NUMBERS);
}
