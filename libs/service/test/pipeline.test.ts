import { expect, test } from '@jest/globals';
import type { PoolClient } from 'pg';
import { connectPipeline, inPipelinedTransaction } from '../src/database/pipeline.ts';
import { atEnd, newDatabase, recordedLog, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

/** What the system says when the way to the server is gone; there are many such codes. */
const NO_ROUTE = Object.assign(new Error('no route to host'), { code: 'EHOSTUNREACH' });

test(
  'after a commit whose answer never came nobody is told that nothing was written',
  async () => {
    const url = await newDatabase(await runningPostgres());
    const pipeline = connectPipeline({ url, size: 1, log: recordedLog().log });
    atEnd(() => pipeline.close());
    await pipeline.pool.query('create table note (id int primary key)');
    const write = (breaking: (client: PoolClient) => void, id: number) =>
      inPipelinedTransaction(pipeline, {
        read: () => Promise.resolve(undefined),
        write(client) {
          const written = client.query('insert into note values ($1)', [id]);
          breaking(client);
          return { result: id, written };
        },
      });

    await expect(write(() => undefined, 1)).resolves.toBe(1);
    // What the server refuses is what it is.
    await expect(write(() => undefined, 1)).rejects.toMatchObject({ code: '23505' });
    const cut = (client: PoolClient): void => {
      const { connection } = client as unknown as { connection: { stream: { destroy(error: Error): void } } };
      connection.stream.destroy(NO_ROUTE);
    };
    await expect(write(cut, 2)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
    await expect(write(() => undefined, 3)).resolves.toBe(3);
  },
  START_TIMEOUT_MS,
);
