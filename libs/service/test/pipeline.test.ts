import { beforeEach, expect, test } from '@jest/globals';
import type { PoolClient } from 'pg';
import { connectPipeline, inPipelinedTransaction, type Pipeline } from '../src/database/pipeline.ts';
import type { Querying } from '../src/database/statements.ts';
import { atEnd, newDatabase, recordedLog, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

let pipeline: Pipeline;
/** The one connection, once it has been used. */
let connection: PoolClient;

beforeEach(async () => {
  const url = await newDatabase(await runningPostgres());
  const connected = connectPipeline({ url, size: 1, log: recordedLog().log });
  atEnd(() => connected.close());
  pipeline = connected;
  const { pool } = connected;
  pool.on('acquire', client => (connection = client));
  await pool.query('create table note (id int primary key)');
}, START_TIMEOUT_MS);

const insert = (statements: Querying, value: unknown) =>
  statements.query({ name: 'insert', text: 'insert into note values ($1)', values: [value] });

/** Inserts all of them in one transaction, and calls `sent` once they have left. */
const write = (values: unknown[], sent = (): void => undefined) =>
  inPipelinedTransaction(pipeline, {
    read: statements => statements.query<{ id: number }>({ name: 'read', text: 'select id from note order by id' }),
    write(statements, { rows }) {
      queueMicrotask(sent);
      const written = Promise.all(values.map(value => insert(statements, value)));
      return { result: rows.map(({ id }) => id), written };
    },
  });

test('a transaction reads, then writes what follows from it', async () => {
  await expect(write([1, 2])).resolves.toEqual([]);
  await expect(write([3])).resolves.toEqual([1, 2]);
  await expect(write([])).resolves.toEqual([1, 2, 3]);
});

test('what the server refuses keeps all of the transaction from being written, and is what it is', async () => {
  await write([1]);
  await expect(write([2, 1, 3])).rejects.toMatchObject({ code: '23505' });
  await expect(write([2, 3])).resolves.toEqual([1]);
  await expect(write([])).resolves.toEqual([1, 2, 3]);
});

test('a statement that was skipped the first time works the next time', async () => {
  const other = (statements: Querying) => statements.query({ name: 'other', text: 'insert into note values (7)' });
  const withOther = (value: unknown) =>
    inPipelinedTransaction(pipeline, {
      read: () => Promise.resolve(undefined),
      write: statements => ({
        result: 'written',
        written: Promise.all([insert(statements, value), other(statements)]),
      }),
    });
  await expect(withOther('no number')).rejects.toMatchObject({ code: '22P02' });
  await expect(withOther(1)).resolves.toBe('written');
  await expect(write([])).resolves.toEqual([1, 7]);
});

test('a value that cannot be sent keeps what comes after it from running, the commit included', async () => {
  const unsendable = {
    toPostgres(): never {
      throw new Error('this value cannot be sent');
    },
  };
  await expect(write([1, unsendable, 2])).rejects.toMatchObject({
    cause: expect.objectContaining({ message: 'this value cannot be sent' }),
  });
  await expect(write([3])).resolves.toEqual([]);
  await expect(write([])).resolves.toEqual([3]);
});

test('a statement that is queued when the others have left is refused', async () => {
  const late = inPipelinedTransaction(pipeline, {
    async read(statements) {
      await statements.query({ text: 'select 1' });
      return statements.query({ text: 'select 2' });
    },
    write: () => undefined,
  });
  await expect(late).rejects.toThrow(TypeError);
  await expect(write([1])).resolves.toEqual([]);
});

test('after a commit whose answer never came nobody is told that nothing was written', async () => {
  const cut = (): void => {
    const { stream } = (connection as unknown as { connection: { stream: { destroy(error: Error): void } } })
      .connection;
    // What the system says when the way to the server is gone; there are many such codes.
    stream.destroy(Object.assign(new Error('no route to host'), { code: 'EHOSTUNREACH' }));
  };
  await expect(write([2], cut)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  await expect(write([3])).resolves.toEqual(expect.any(Array));
});

test('a transaction with nothing to write is rolled back', async () => {
  const read = inPipelinedTransaction(pipeline, {
    read: statements => insert(statements, 1),
    write: () => undefined,
  });
  await expect(read).resolves.toBeUndefined();
  await expect(write([])).resolves.toEqual([]);
});
