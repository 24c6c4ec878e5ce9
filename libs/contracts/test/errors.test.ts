import { describe, expect, test } from '@jest/globals';
import { AppError, ERROR_CODES, ErrorBody, invalidPayload, isUserRequest, parseInput } from '@rapport/contracts';
import fc from 'fast-check';
import { z } from 'zod';

const SECRET = 'what-alice-told-her-therapist';

const code = fc.constantFrom(...(Object.keys(ERROR_CODES) as (keyof typeof ERROR_CODES)[]));

describe('AppError', () => {
  test('shows its code and its message, and what it does not have it leaves out', () => {
    expect(new AppError('NOT_FOUND', 'no such message').toBody()).toEqual({
      code: 'NOT_FOUND',
      message: 'no such message',
    });
  });

  test('shows details and the time to wait, zero included', () => {
    const details = [{ path: 'content', message: 'must not be empty' }];

    expect(new AppError('RATE_LIMITED', 'slow down', { details, retryAfterMs: 0 }).toBody()).toEqual({
      code: 'RATE_LIMITED',
      message: 'slow down',
      details,
      retryAfterMs: 0,
    });
  });

  test('keeps its cause for the log and shows nothing of it', () => {
    const cause = new Error(SECRET);
    const error = new AppError('INTERNAL', 'request 7', { cause });

    expect(error.cause).toBe(cause);
    expect(JSON.stringify(error.toBody())).not.toContain(SECRET);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('AppError');
  });

  test('always shows what the contract calls an error', () => {
    const options = fc.record({
      details: fc.array(fc.record({ path: fc.string(), message: fc.string() })),
      retryAfterMs: fc.nat(),
    });

    fc.assert(
      fc.property(code, fc.string(), fc.option(options, { nil: undefined }), (of, message, more) => {
        const body = new AppError(of, message, more).toBody();
        expect(ErrorBody.parse(JSON.parse(JSON.stringify(body)))).toEqual(body);
      }),
    );
  });
});

describe('parseInput', () => {
  const schema = z.object({
    name: z.string().min(1, 'must not be empty'),
    place: z.object({ city: z.string() }),
    tags: z.array(z.int()),
  });

  test('gives what the schema makes of the input', () => {
    const input = { name: 'a', place: { city: 'b' }, tags: [1] };

    expect(parseInput(schema, { ...input, more: true })).toEqual(input);
  });

  test('names the path of every field that is wrong, and the rule that it breaks', () => {
    const error = errorOf(() => parseInput(schema, { name: '', place: { city: 7 }, tags: [1, SECRET] }));

    expect(error.toBody()).toEqual({
      code: 'INVALID_PAYLOAD',
      message: expect.any(String),
      details: [
        { path: 'name', message: 'must not be empty' },
        { path: 'place.city', message: expect.stringContaining('string') },
        { path: 'tags.1', message: expect.stringContaining('number') },
      ],
    });
    expect(JSON.stringify(error.toBody())).not.toContain(SECRET);
  });

  test('has an empty path when the whole is wrong', () => {
    const { details } = errorOf(() => parseInput(schema, SECRET));

    expect(details).toEqual([{ path: '', message: expect.any(String) }]);
    expect(JSON.stringify(details)).not.toContain(SECRET);
  });

  test('throws nothing but AppError, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), input => {
        expect(errorOf(() => parseInput(schema, input)).code).toBe('INVALID_PAYLOAD');
      }),
    );
  });
});

test('invalidPayload names the fields that it is given', () => {
  const details = [{ path: 'event', message: 'is not in the table' }];

  expect(invalidPayload(...details).toBody()).toEqual({
    code: 'INVALID_PAYLOAD',
    message: expect.any(String),
    details,
  });
});

test('every code has the number of an HTTP error, and no two the same', () => {
  const numbers = Object.values(ERROR_CODES);

  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.every(number => number >= 400 && number <= 599)).toBe(true);
});

test.each([
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'message.send',
  'Message:send',
  'message:send ',
])('%j is not an event of the table', event => {
  expect(isUserRequest(event)).toBe(false);
  expect(isUserRequest('message:send')).toBe(true);
});

function errorOf(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('an AppError was expected');
}
