import { expect, test } from '@jest/globals';
import { Actor, AppError, deliveries, healthDataFields, serviceRequests, userRequests } from '@rapport/contracts';
import { recordedLog } from './kit.ts';

const SECRET = 'I-told-my-therapist-everything';

const markedFields = [
  ...new Set(
    [
      Actor,
      ...Object.values({ ...userRequests, ...serviceRequests }).flatMap(row => [row.input, row.output]),
      ...Object.values(deliveries).map(row => row.payload),
    ].flatMap(schema => [...healthDataFields(schema)]),
  ),
];

/** `nested(2, x)` is `{ a: { a: x } }`. */
function nested(depth: number, value: object): object {
  return depth === 0 ? value : { a: nested(depth - 1, value) };
}

test('the contracts mark what people write and what they are called', () => {
  expect(markedFields).toEqual(expect.arrayContaining(['content', 'attachment', 'name']));
});

test.each(markedFields)('the marked field %s is redacted at every depth of a log line', field => {
  const { log, lines } = recordedLog();
  for (let depth = 0; depth <= 7; depth += 1) log.info(nested(depth, { [field]: SECRET }), 'a line');
  expect(lines).toHaveLength(8);
  expect(lines.join('')).not.toContain(SECRET);
  expect(lines.every(line => line.includes('[redacted]'))).toBe(true);
});

test.each(markedFields)('the marked field %s is redacted inside arrays', field => {
  const { log, lines } = recordedLog();
  log.info({ messages: [{ [field]: SECRET }, { [field]: SECRET }] }, 'a page');
  expect(lines.join('')).not.toContain(SECRET);
});

test('a whole attachment is redacted, its name and address with it', () => {
  const { log, lines } = recordedLog();
  log.info({ input: { attachment: { name: SECRET, url: `https://files.example/${SECRET}` } } }, 'a line');
  expect(lines.join('')).not.toContain(SECRET);
});

test('redaction leaves the logged object as it was', () => {
  const message = { content: SECRET, attachment: { name: SECRET } };
  recordedLog().log.info({ message }, 'a line');
  expect(message).toEqual({ content: SECRET, attachment: { name: SECRET } });
});

test('of an error only type, code, message, stack and causes are logged, not what a library hung on it', () => {
  const { log, lines } = recordedLog();
  const database = Object.assign(new Error('duplicate key value violates unique constraint "message_client_id"'), {
    code: '23505',
    detail: `Key (content)=(${SECRET}) already exists.`,
    query: `insert into message values ('${SECRET}')`,
    parameters: [SECRET],
    where: SECRET,
  });
  const details = [{ path: 'content', message: SECRET }];
  log.error({ err: database }, 'a request failed');
  log.error({ err: new AppError('CONFLICT', 'try again', { cause: database, details }) }, 'a request failed');
  expect(lines.join('')).not.toContain(SECRET);
  const [plain, wrapped] = lines.map(line => (JSON.parse(line) as { err: Record<string, unknown> }).err);
  expect(plain).toMatchObject({ type: 'Error', code: '23505', message: expect.stringContaining('duplicate key') });
  expect(plain?.['stack']).toEqual(expect.stringContaining('logger.test'));
  expect(wrapped).toMatchObject({ type: 'AppError', code: 'CONFLICT', cause: { code: '23505' } });
});

test('an error that is logged under another name is described in the same way', () => {
  const { log, lines } = recordedLog();
  log.warn({ why: Object.assign(new Error('gone'), { detail: SECRET }) }, 'trying again');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ why: { type: 'Error', message: 'gone' } });
  expect(lines.join('')).not.toContain(SECRET);
});

test('an object that contains itself does not keep its line from being written', () => {
  const { log, lines } = recordedLog();
  const circle: { content: string; self?: object } = { content: SECRET };
  circle.self = circle;
  log.info({ circle }, 'a line');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'a line', circle: { content: '[redacted]' } });
});

test('of something thrown that is no error nothing but its type is logged', () => {
  const { log, lines } = recordedLog();
  log.error({ err: SECRET }, 'a request failed');
  log.error({ err: { content: SECRET, text: SECRET } }, 'a request failed');
  expect(lines.join('')).not.toContain(SECRET);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ err: { type: 'string' } });
});

test('a line says when, how severe and which process', () => {
  const { log, lines } = recordedLog();
  log.warn({ subject: 'rpc.v1.user.message.send' }, 'slow');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    process: 'test',
    pid: process.pid,
    subject: 'rpc.v1.user.message.send',
    msg: 'slow',
  });
});
