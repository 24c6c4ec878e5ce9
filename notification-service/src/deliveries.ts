import { parseArgs } from 'node:util';
import { connectDatabase } from '@rapport/service/database';
import { runCommand } from '@rapport/service/command';
import { validate as isUuid } from 'uuid';
import { database } from './database.ts';
import { countDeliveries, listDead, retryDead } from './dead-letters.ts';

// `npm run deliveries -- list` shows how many deliveries there are of each state, and the dead letters.
// `npm run deliveries -- retry --id <id>` or `--all` has them tried again.

await runCommand('notification-service deliveries', 'notification-service', async config => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { id: { type: 'string' }, all: { type: 'boolean', default: false } },
  });
  const [verb, ...more] = positionals;
  if (more.length > 0 || (verb !== 'list' && verb !== 'retry')) throw new Error('it must be list or retry');
  const { id, all } = values;
  if (verb === 'retry' && (id === undefined) !== all) throw new Error('retry needs --id <id> or --all');
  if (id !== undefined && !isUuid(id)) throw new Error('--id must be the id of a delivery');

  const { orm, pool } = await connectDatabase({ url: config.DATABASE_URL, poolSize: 1, definition: database });
  try {
    if (verb === 'list') {
      for (const line of [...(await countDeliveries(pool)), ...(await listDead(pool))]) print(line);
    } else {
      print({ retried: await retryDead(pool, id) });
    }
  } finally {
    await orm.close(true);
  }
});

/** A JSON line: ids, numbers, states and codes alone. */
function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
