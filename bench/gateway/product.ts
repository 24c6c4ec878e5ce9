import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { startStack, type Stack } from '@rapport/local-stack';
import { withMemoryOnSignal } from '../measure/collected-memory.ts';
import type { Ground } from './servers.ts';

/** The whole product with its default limits, as it runs for a platform. */
export function startProduct({ folder, jwtSecret, nodeOptions = [] }: Omit<Ground, 'nats'>): Promise<Stack> {
  // PostgreSQL may run as another user, who must be able to get there.
  mkdirSync(folder, { recursive: true });
  const dataDir = mkdtempSync(join(folder, 'stack-'));
  for (const path of [folder, dataDir]) chmodSync(path, 0o755);
  // The processes of the stack have it from here.
  process.env['NODE_OPTIONS'] = [withMemoryOnSignal(folder), ...nodeOptions].join(' ');
  return startStack({
    dataDir,
    jwtSecret,
    env: {
      ...process.env,
      LOG_LEVEL: 'warn',
      // Under `open` everybody would be told of each of thousands.
      CONTACT_POLICY: 'care-team',
      // Or 10,000 sockets would take 20 s to come.
      MAX_HANDSHAKES_PER_SECOND: '0',
    },
    output: { note: text => console.error(text), line: (name, text) => console.error(`${name} ${text}`) },
  });
}
