import type { ProcessContext } from '@rapport/service';
import { repeat } from '@rapport/service/database';
import type { Pool } from 'pg';
import { expireMessages } from './expire-messages.ts';

const EVERY_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Takes away, every hour, what is past its retention. @param options.days 0: nothing ever is */
export function startRetention(
  options: Pick<ProcessContext<'messaging-service'>, 'log' | 'stopping' | 'onStop'> & { pool: Pool; days: number },
): void {
  const { pool, log, days, stopping, onStop } = options;
  if (days === 0) return;
  const expire = async (): Promise<void> => {
    const now = new Date();
    const messages = await expireMessages(pool, new Date(now.getTime() - days * DAY_MS), now, stopping);
    if (messages > 0) log.info({ messages }, 'messages past their retention lost their content');
  };
  const loop = repeat('retention', EVERY_MS, expire, log, stopping);
  onStop('retention', () => loop);
}
