import { randomBytes, randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { alternate } from '../measure/alternate.ts';
import type { Findings } from '../measure/comparison.ts';
import { backOfficeOf, createUntilAnswered } from './back-office.ts';
import type { Ground } from './ground.ts';
import type { Options } from './options.ts';

// How many creations a second the service takes (over NATS, with the key, the locks, the counts, the outbox and the
// deliveries to sockets), against what one prepared insert for each would do, over as many connections.

/** As many as the service has. */
const CONNECTIONS = 10;

export async function measureRate(ground: Ground, options: Options): Promise<Findings> {
  const stack = await ground.start('rate');
  const bus = await backOfficeOf(stack);
  ground.atEnd(() => bus.connection.close());
  const pool = new Pool({ connectionString: stack.databases['notification-service'], max: CONNECTIONS });
  ground.atEnd(() => pool.end());
  await pool.query('create table single (like notification including all)');
  const { users, inFlight, rateSeconds, runs } = options;
  const user = (): string => `user-${Math.floor(Math.random() * users)}`;
  const rates = await alternate(runs, {
    service: () => ratePerSecond(rateSeconds, inFlight, () => createUntilAnswered(bus, user(), randomUUID())),
    single: () => ratePerSecond(rateSeconds, inFlight, () => insertOne(pool, user())),
  });
  return {
    comparisons: [
      {
        what: 'creations a second',
        unit: '/s',
        product: rates.service,
        baseline: rates.single,
        baselineName: 'one prepared insert each',
      },
    ],
  };
}

async function ratePerSecond(seconds: number, inFlight: number, once: () => Promise<unknown>): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      await once();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return done / seconds;
}

const SEALED = randomBytes(160);

async function insertOne(pool: Pool, userId: string): Promise<void> {
  await pool.query({
    name: 'single-insert',
    text: `insert into single (id, user_id, type, priority, hidden, sealed, key_id, seqs, source, idempotency_key,
                               body_hash, created_at, touched_at)
           values ($1, $2, 'FORM_RECEIVED', 'normal', false, $3, 'k', '{}', 'bench', $4, $3, now(), now())`,
    values: [randomUUID(), userId, SEALED, randomUUID()],
  });
}
