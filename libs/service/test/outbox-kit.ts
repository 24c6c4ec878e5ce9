import type { Bus } from '@rapport/bus';
import type { Pool } from 'pg';
import { createLifecycle } from '../src/lifecycle.ts';
import { createMetrics } from '../src/metrics.ts';
import type { OutboxFact } from '../src/database/outbox-row.ts';
import { startOutbox, type Outbox } from '../src/database/outbox.ts';
import { atEnd, recordedLog } from './kit.ts';

export interface RunningOutbox extends Outbox {
  /** What an orderly stop of its process does. */
  stop(): Promise<void>;
  readonly lines: readonly string[];
}

/** The outbox of one replica; `redeliver` is told every row that is swept. Stopped at the end of the file. */
export async function runningOutbox(
  bus: Bus,
  pool: Pool,
  redeliver: (row: OutboxFact<'message.sent'>) => Promise<void> = () => Promise.resolve(),
): Promise<RunningOutbox> {
  const { log, lines } = recordedLog();
  const { stop, stopping, onStop } = createLifecycle(log);
  const metrics = createMetrics(log);
  atEnd(stop);
  const outbox = await startOutbox<'message.sent'>({
    bus,
    pool,
    log,
    metrics,
    stopping,
    onStop,
    retentionHours: 72,
    redeliver: { 'message.sent': redeliver },
  });
  return { ...outbox, stop, lines };
}
