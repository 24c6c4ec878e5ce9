import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { byteaArray, intArray, textArray, uuidArray } from '../src/database/binary-arrays.ts';
import { poolOf, runningPostgres, START_TIMEOUT_MS } from './kit.ts';

let pool: Pool;

beforeAll(async () => {
  pool = poolOf((await runningPostgres()).url, 1);
}, START_TIMEOUT_MS);

const nullable = <T>(values: fc.Arbitrary<T>) => fc.array(fc.option(values), { maxLength: 20 });
// PostgreSQL's text refuses NUL, and what is not well-formed cannot be encoded.
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter(each => !each.includes('\0'));

test('PostgreSQL reads of each array what was written into it', async () => {
  const arrays = fc.tuple(
    nullable(text),
    nullable(fc.uuid()),
    nullable(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    nullable(fc.uint8Array({ maxLength: 300 })),
  );
  await fc.assert(
    fc.asyncProperty(arrays, async ([texts, uuids, ints, bytes]) => {
      const { rows } = await pool.query<{ t: unknown; u: unknown; i: unknown; b: (Buffer | null)[] }>({
        name: 'arrays',
        text: 'select $1::text[] as t, $2::uuid[] as u, $3::int[] as i, $4::bytea[] as b',
        values: [textArray(texts), uuidArray(uuids), intArray(ints), byteaArray(bytes)],
      });
      expect(rows[0]).toEqual({ t: texts, u: uuids, i: ints, b: bytes.map(each => each && Buffer.from(each)) });
    }),
    { numRuns: 200 },
  );
});

test.each(['', 'x', '0190a000-0000-7000-8000-00000000000', '0190a000-0000-7000-8000-0000000000000', '../../etc'])(
  '%j is no UUID',
  value => {
    expect(() => uuidArray([value])).toThrow(RangeError);
  },
);
