// Arrays as PostgreSQL's binary format has them. As text every element would be quoted here and read there, and bytes
// would travel as hexadecimal: for a batch of messages that costs as much as storing them.
//
// int32 dimensions, int32 whether there are nulls, int32 type of the elements, then for the one dimension int32 length
// and int32 lower bound, then for each element int32 size (-1: null) and its bytes.

const HEADER_BYTES = 20;
const SIZE_BYTES = 4;
const NULL_SIZE = -1;

/** Object ids of PostgreSQL's own types, which never change. */
const TYPES = { bytea: 17, int4: 23, text: 25, uuid: 2950 } as const;

type Nullable<T> = readonly (T | null | undefined)[];

/** `text[]` */
export function textArray(values: Nullable<string>): Buffer {
  return arrayOf(
    TYPES.text,
    values,
    text => Buffer.byteLength(text),
    (text, target, at) => target.write(text, at),
  );
}

/** `uuid[]` @throws RangeError when one is none */
export function uuidArray(values: Nullable<string>): Buffer {
  return arrayOf(TYPES.uuid, values, () => UUID_BYTES, writeUuid);
}

/** `int[]` */
export function intArray(values: Nullable<number>): Buffer {
  return arrayOf(
    TYPES.int4,
    values,
    () => 4,
    (value, target, at) => target.writeInt32BE(value, at),
  );
}

/** `bytea[]` */
export function byteaArray(values: Nullable<Uint8Array>): Buffer {
  return arrayOf(
    TYPES.bytea,
    values,
    ({ length }) => length,
    (bytes, target, at) => target.set(bytes, at),
  );
}

function arrayOf<T>(
  type: number,
  values: Nullable<T>,
  sizeOf: (value: T) => number,
  write: (value: T, target: Buffer, at: number) => unknown,
): Buffer {
  const sizes = values.map(value => (value === null || value === undefined ? NULL_SIZE : sizeOf(value)));
  const bytes = sizes.reduce((sum, size) => sum + SIZE_BYTES + Math.max(0, size), HEADER_BYTES);
  const target = Buffer.allocUnsafe(bytes);
  target.writeInt32BE(1, 0);
  target.writeInt32BE(sizes.includes(NULL_SIZE) ? 1 : 0, 4);
  target.writeInt32BE(type, 8);
  target.writeInt32BE(values.length, 12);
  target.writeInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    const size = sizes[index] ?? NULL_SIZE;
    target.writeInt32BE(size, at);
    at += SIZE_BYTES;
    if (value === null || value === undefined) continue;
    write(value, target, at);
    at += size;
  }
  return target;
}

const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function writeUuid(uuid: string, target: Buffer, at: number): void {
  if (!UUID.test(uuid)) throw new RangeError('not a UUID');
  target.write(uuid.replaceAll('-', ''), at, UUID_BYTES, 'hex');
}
