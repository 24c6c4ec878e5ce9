import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { startStack, type Stack } from '@rapport/local-stack';
import type { Footing } from '../run/run-bench.ts';

/** Where a measurement stands: each starts a whole product of its own. */
export interface Ground {
  start(name: string, env?: Record<string, string>): Promise<Stack>;
  readonly atEnd: Footing['atEnd'];
}

export function groundOf({ folder, atEnd }: Footing): Ground {
  // PostgreSQL may run as another user, who must be able to get there.
  chmodSync(folder, 0o755);
  return {
    atEnd,
    async start(name, env = {}) {
      const stack = await startStack({
        dataDir: join(folder, name),
        env: { PATH: process.env['PATH'], NATS_SERVER: process.env['NATS_SERVER'], LOG_LEVEL: 'warn', ...env },
      });
      atEnd(() => stack.stop());
      return stack;
    },
  };
}
