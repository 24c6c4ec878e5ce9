import type { Findings } from '../measure/comparison.ts';
import type { Options } from './options.ts';
import { book, emptyTables, type Ground } from './servers.ts';

const HOUR_MS = 60 * 60_000;

/** Many ask for one slot of one therapist at the same moment, through all replicas. */
export async function measureContention(ground: Ground, { runs, contenders }: Options): Promise<Findings> {
  const counts: Record<string, number> = {};
  const milliseconds: number[] = [];
  let overlaps = 0;
  for (let run = 0; run < runs; run += 1) {
    await emptyTables(ground.database);
    const start = Date.now() + 24 * HOUR_MS;
    const times = { startTime: new Date(start).toISOString(), endTime: new Date(start + HOUR_MS).toISOString() };
    const began = performance.now();
    const codes = await Promise.all(
      Array.from({ length: contenders }, (_, index) =>
        book(ground, { ...times, clientId: `c-${index}`, therapistId: 't' }),
      ),
    );
    milliseconds.push(performance.now() - began);
    for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
    const { rows } = await ground.database.query<{ stored: number }>('select count(*)::int as stored from appointment');
    overlaps += (rows[0]?.stored ?? 0) - 1;
  }
  const { OK = 0, CONFLICT = 0, ...others } = counts;
  const seen = (value: number) => `${value} in ${runs} rounds`;
  return {
    comparisons: [],
    observations: [
      { what: 'won the slot', seen: seen(OK), holds: OK === runs },
      { what: 'got CONFLICT', seen: seen(CONFLICT), holds: CONFLICT === runs * (contenders - 1) },
      { what: 'got anything else', seen: JSON.stringify(others), holds: Object.keys(others).length === 0 },
      { what: 'appointments stored beyond the one', seen: seen(overlaps), holds: overlaps === 0 },
      { what: 'milliseconds until all were answered', seen: milliseconds.map(Math.round).join(', '), holds: true },
    ],
  };
}
