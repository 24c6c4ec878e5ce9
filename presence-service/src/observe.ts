import type { Metrics } from '@rapport/service';
import type { Pool } from 'pg';
import type { AnnounceOptions } from './announce.ts';

/** The service's own metrics. @returns what counts the deliveries of an event */
export function observePresence(metrics: Metrics, pool: Pool): AnnounceOptions['count'] {
  const count = async (from: string): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from ${from}`);
    return rows[0]?.count ?? 0;
  };
  metrics.gauge('rapport_presence_sessions', 'Sessions that live.', () => count('session where ended_at is null'));
  metrics.gauge('rapport_presence_people', 'People who are shown as present.', () =>
    count(`presence where status <> 'offline'`),
  );
  metrics.gauge('rapport_presence_gateways', 'Gateways that hold a lease.', () =>
    count('gateway_lease where not lost'),
  );
  metrics.gauge('rapport_presence_untold', 'Changes that are not announced yet.', () => count('presence where untold'));
  const announced = metrics.counter('rapport_presence_announced_total', 'Deliveries about presence.', ['event']);
  return (event, deliveries) => announced.inc({ event }, deliveries);
}
