import { describe, expect, test } from '@jest/globals';
import { requestForUser } from '@rapport/bus';
import { answerWith, LONG_MS, openHouse } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const SUBJECT = 'rpc.v1.user.message.send';
const REQUEST = { actor: ALICE, input: HELLO };
const UNAVAILABLE = { name: 'AppError', code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) };

const house = openHouse();

test('with nobody to answer, a request is UNAVAILABLE at once', async () => {
  // The time-out is longer than this test may take.
  const gateway = await house.join('gateway', { requestTimeoutMs: LONG_MS });

  await expect(requestForUser(gateway, 'message:send', REQUEST)).rejects.toMatchObject(UNAVAILABLE);

  expect(gateway.observer.told('requestEnded')).toEqual([{ subject: SUBJECT, code: 'UNAVAILABLE' }]);
});

test('when a handler hangs, a request is UNAVAILABLE after the time-out, and its late reply disturbs nobody', async () => {
  const [gateway, service] = [
    await house.join('gateway', { requestTimeoutMs: 300 }),
    await house.join('messaging-service'),
  ];
  const late = Promise.withResolvers<void>();
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      if (input.content === 'late') await late.promise;
      return aMessage(input.content);
    },
  });

  const hanging = requestForUser(gateway, 'message:send', { ...REQUEST, input: { ...HELLO, content: 'late' } });
  await expect(hanging).rejects.toMatchObject(UNAVAILABLE);
  late.resolve();
  await service.observer.until('answerEnded');
  const patient = { ...gateway, requestTimeoutMs: LONG_MS };
  const next = await requestForUser(patient, 'message:send', REQUEST);

  expect(next.read()).toMatchObject({ ok: true, data: { content: 'hello' } });
  expect(gateway.observer.told('requestEnded').map(({ code }) => code)).toEqual(['UNAVAILABLE', 'OK']);
});

test('a user without the right to make a request gets UNAVAILABLE, not a crash', async () => {
  const service = await house.join('messaging-service');
  await answerWith(house, service, { 'message:send': async () => aMessage('') });

  await expect(requestForUser(service, 'message:send', REQUEST)).rejects.toMatchObject(UNAVAILABLE);
});

describe('a service that stops', () => {
  test('finishes what is under way and takes nothing more', async () => {
    const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
    const [begun, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const answering = await answerWith(house, service, {
      'message:send': async () => {
        begun.resolve();
        await release.promise;
        return aMessage('finished');
      },
    });
    const events: string[] = [];

    const underWay = requestForUser(gateway, 'message:send', REQUEST).then(reply => {
      events.push('answered');
      return reply;
    });
    await begun.promise;
    const stopped = answering.stop().then(() => events.push('stopped'));
    await expect(untilNobodyAnswers()).resolves.toBeUndefined();
    expect(events).toEqual([]);
    release.resolve();

    expect((await underWay).read()).toMatchObject({ ok: true, data: { content: 'finished' } });
    await stopped;
    expect(service.observer.told('fatal')).toEqual([]);

    /** The subscription is drained on the server a moment after `stop` was called. */
    async function untilNobodyAnswers(): Promise<void> {
      await service.connection.flush();
      await expect(requestForUser(gateway, 'message:send', REQUEST)).rejects.toMatchObject(UNAVAILABLE);
    }
  });
});

test('a service that is full says UNAVAILABLE with the time to wait, and answers all that it had taken', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const [full, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const capacity = 4_000;
  let begun = 0;
  await answerWith(house, service, {
    'message:typing': async () => {
      begun += 1;
      if (begun === capacity) full.resolve();
      await release.promise;
      return {};
    },
  });
  const ask = () =>
    requestForUser(gateway, 'message:typing', { actor: ALICE, input: { recipientId: 'bob', isTyping: true } });

  const taken = Array.from({ length: capacity }, ask);
  await full.promise;
  const refused = await ask();
  release.resolve();

  expect(refused.read()).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) } });
  expect(new Set((await Promise.all(taken)).map(reply => reply.code))).toEqual(new Set(['OK']));
  expect(begun).toBe(capacity);
});

test('a service that may not listen to its requests ends its process', async () => {
  const gateway = await house.join('gateway');
  await answerWith(house, gateway, { 'message:send': async () => aMessage('') });

  const { error } = await gateway.observer.until('fatal');

  expect(error.message).toMatch(/permissions violation/i);
});
