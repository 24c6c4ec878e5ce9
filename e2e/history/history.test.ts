import { env } from 'node:process';
import { expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { runningStack } from '../kit.ts';
import { violationsOf } from './checkers.ts';
import { runHistory } from './run.ts';

/** `npm run check:history` sends 20,000. */
const MESSAGES = Number(env['HISTORY_MESSAGES'] ?? 2_000);
const HISTORY_TIMEOUT_MS = 600_000;

const stackOfTwo = (): Promise<Stack> =>
  runningStack({
    processes: { gateway: 2, 'messaging-service': 2 },
    env: { RATE_LIMIT_BURST: '0', LOG_LEVEL: 'info' },
  });

test(
  `${MESSAGES} messages in 50 conversations, each process killed in turn: all that was acked is there, once, in order`,
  async () => {
    const stack = await stackOfTwo();
    const evidence = await runHistory(stack, { messages: MESSAGES, victims: [...stack.programs.keys()] });
    expect(evidence.faults.map(({ name }) => name)).toEqual([...stack.programs.keys()]);
    expect(violationsOf(evidence)).toEqual({});
    expect(evidence.stored.length).toBeGreaterThanOrEqual(MESSAGES);
  },
  HISTORY_TIMEOUT_MS,
);
