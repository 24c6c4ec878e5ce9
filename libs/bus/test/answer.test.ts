import { expect, test } from '@jest/globals';
import { traceId, withSpan, requestForUser, type UserRequest } from '@rapport/bus';
import { AppError } from '@rapport/contracts';
import { answerWith, openHouse } from './kit.ts';
import { textOf } from './recorder.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const SUBJECT = 'rpc.v1.user.message.send';
const SECRET = 'what-alice-told-her-therapist';

const house = openHouse();

test('a request reaches its handler, and what the handler returns is the reply', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const requests: UserRequest<'message:send'>[] = [];
  const message = aMessage('hello');
  await answerWith(house, service, {
    'message:send': async request => {
      requests.push(request);
      return message;
    },
  });

  const reply = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO }, { socketId: 'socket-1' });

  expect(requests).toEqual([{ actor: ALICE, input: HELLO, socketId: 'socket-1' }]);
  expect(reply.code).toBe('OK');
  expect(reply.read()).toEqual({ ok: true, data: message });
  expect(reply.text).toBe(JSON.stringify({ ok: true, data: message }));
  expect(gateway.observer.told('requestEnded')).toEqual([{ subject: SUBJECT, code: 'OK' }]);
  expect(await service.observer.until('answerEnded')).toEqual({ subject: SUBJECT, code: 'OK' });
});

test('text travels byte for byte in both directions', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  await answerWith(house, service, { 'message:send': async ({ input }) => aMessage(input.content) });
  const content = ' \t"\\\u0001\u2028é e\u0301 👩‍👩‍👧 \uFEFF\r\n ';

  const reply = await requestForUser(gateway, 'message:send', { actor: ALICE, input: { ...HELLO, content } });

  expect(reply.read()).toMatchObject({ ok: true, data: { content } });
});

test('an AppError is the reply, with its code in the headers of the services API', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const details = [{ path: 'recipientId', message: 'must be somebody else' }];
  await answerWith(house, service, {
    'message:send': async () => {
      throw new AppError('RATE_LIMITED', 'slow down', { details, retryAfterMs: 250, cause: new Error(SECRET) });
    },
  });
  const error = { code: 'RATE_LIMITED', message: 'slow down', details, retryAfterMs: 250 };

  const reply = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });
  const raw = await gateway.connection.request(SUBJECT, JSON.stringify({ actor: ALICE, input: HELLO }));

  expect(reply.code).toBe('RATE_LIMITED');
  expect(reply.read()).toEqual({ ok: false, error });
  expect(raw.json()).toEqual({ ok: false, error });
  expect(raw.headers?.get('Nats-Service-Error')).toBe('RATE_LIMITED');
  expect(raw.headers?.get('Nats-Service-Error-Code')).toBe('429');
  expect(gateway.observer.told('requestEnded')).toEqual([{ subject: SUBJECT, code: 'RATE_LIMITED' }]);
  expect(await service.observer.until('answerEnded')).toEqual({ subject: SUBJECT, code: 'RATE_LIMITED' });
});

test.each([
  ['an Error', new TypeError(`cannot read ${SECRET}`)],
  ['a string', SECRET],
  ['nothing', undefined],
])(
  '%s that a handler throws becomes INTERNAL, which carries the id of the trace and nothing else',
  async (_, thrown) => {
    const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- libraries do reject with anything
    await answerWith(house, service, { 'message:send': () => Promise.reject(thrown) });

    const [trace, reply] = await withSpan('a test', async () => {
      const made = requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });
      return [traceId(), await made] as const;
    });

    expect(trace).toMatch(/^[0-9a-f]{32}$/);
    expect(reply.read()).toEqual({ ok: false, error: { code: 'INTERNAL', message: `request ${trace}` } });
    expect(service.observer.told('log')).toContainEqual({
      level: 'error',
      fields: { subject: SUBJECT, err: thrown },
      message: 'a request failed',
    });
  },
);

test('a reply that is too large for NATS becomes INTERNAL, and the service goes on', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const length = { of: 2 ** 21 };
  await answerWith(house, service, { 'message:send': async () => aMessage(SECRET.padEnd(length.of, 'x')) });

  const tooLarge = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });
  length.of = 10;
  const next = await requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO });

  expect(tooLarge.code).toBe('INTERNAL');
  expect(tooLarge.text).not.toContain(SECRET);
  expect(next.code).toBe('OK');
  expect(textOf(service.observer.told('log'))).not.toContain(SECRET);
});
