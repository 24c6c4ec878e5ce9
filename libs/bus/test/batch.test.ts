import { expect, test } from '@jest/globals';
import { Encoded, encodeBatchItem, requestBatchForUsers, type UserRequest } from '@rapport/bus';
import { AppError, BATCH_LIMITS } from '@rapport/contracts';
import { answerWith, openHouse } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const BATCH = 'rpc.v1.user.message.send-batch';
const EACH = 'rpc.v1.user.message.send';

const house = openHouse();

const bodies = (...contents: string[]): string[] =>
  contents.map((content, index) =>
    encodeBatchItem({ actor: ALICE, input: { ...HELLO, content }, socketId: `socket-${index}` }),
  );

async function both(requestTimeoutMs?: number) {
  const gateway = await house.join('gateway', requestTimeoutMs === undefined ? {} : { requestTimeoutMs });
  return [gateway, await house.join('messaging-service')] as const;
}

test('a batch reaches the handler request by request, all at once, in their order and with their sockets', async () => {
  const [gateway, service] = await both();
  const requests: UserRequest<'message:send'>[] = [];
  const all = Promise.withResolvers<void>();
  await answerWith(house, service, {
    'message:send': async request => {
      if (requests.push(request) === 3) all.resolve();
      await all.promise;
      return aMessage(request.input.content);
    },
  });

  const replies = await requestBatchForUsers(gateway, 'message:send', bodies('one', 'two', 'three'));

  expect(requests.map(({ actor, input, socketId }) => [actor, input.content, socketId])).toEqual([
    [ALICE, 'one', 'socket-0'],
    [ALICE, 'two', 'socket-1'],
    [ALICE, 'three', 'socket-2'],
  ]);
  expect(replies.map(reply => reply.read())).toMatchObject(
    ['one', 'two', 'three'].map(content => ({ ok: true, data: { content } })),
  );
});

test('each request has an outcome of its own: one that fails does not concern its neighbours', async () => {
  const [gateway, service] = await both();
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      if (input.content === 'conflict') throw new AppError('CONFLICT', 'there already');
      if (input.content === 'bug') throw new TypeError('what-alice-said');
      return new Encoded(aMessage(input.content));
    },
  });
  const [good, conflict, bug, last] = bodies('good', 'conflict', 'bug', 'last');
  const sent = [good!, conflict!, '{"actor":{"userId":"a.b"},"input":{}}', '7', bug!, last!];

  const replies = await requestBatchForUsers(gateway, 'message:send', sent);

  const codes = ['OK', 'CONFLICT', 'INVALID_PAYLOAD', 'INVALID_PAYLOAD', 'INTERNAL', 'OK'];
  expect(replies.map(({ code }) => code)).toEqual(codes);
  expect(replies[0]?.read()).toMatchObject({ ok: true, data: { content: 'good' } });
  expect(replies[5]?.read()).toMatchObject({ ok: true, data: { content: 'last' } });
  expect(replies[4]?.text).toMatch(/^\{"ok":false,"error":\{"code":"INTERNAL","message":"request [0-9a-f]{32}"\}\}$/);
  // Counted one by one, on both sides, beside the batch itself.
  for (const told of [gateway.observer.told('requestEnded'), service.observer.told('answerEnded')]) {
    expect(told.filter(({ subject }) => subject === EACH).map(({ code }) => code)).toEqual(
      expect.arrayContaining(codes),
    );
    expect(told.filter(({ subject }) => subject === BATCH)).toEqual([{ subject: BATCH, code: 'OK' }]);
  }
});

test('replies are parted byte for byte, whatever is in them', async () => {
  const [gateway, service] = await both();
  await answerWith(house, service, { 'message:send': async ({ input }) => aMessage(input.content) });
  const contents = ['"],[{"', ' \t\\\u0001\u2028é e\u0301 👩‍👩‍👧 \uFEFF\r\n ', 'plain', '{"ok":false}'];

  const replies = await requestBatchForUsers(gateway, 'message:send', bodies(...contents));

  expect(replies.map(reply => reply.read())).toMatchObject(contents.map(content => ({ data: { content } })));
  expect(replies.map(({ text }) => text)).toEqual(replies.map(reply => JSON.stringify(reply.read())));
});

test('the reply of a service that does not know the header is parted as well', async () => {
  const [gateway, service] = await both();
  service.connection.subscribe(BATCH, {
    queue: 'messaging-service',
    callback: (_error, message) =>
      void message.respond('[ {"ok": true, "data": 1}, {"error":{"code":"CONFLICT"},"ok":false} ]'),
  });
  await service.connection.flush();

  const replies = await requestBatchForUsers(gateway, 'message:send', bodies('one', 'two'));

  expect(replies.map(({ code, text }) => [code, text])).toEqual([
    ['OK', '{"ok":true,"data":1}'],
    ['CONFLICT', '{"error":{"code":"CONFLICT"},"ok":false}'],
  ]);
});

test.each([
  ['too few replies', '[{"ok":true,"data":1}]'],
  ['no list', '{"ok":true,"data":1}'],
  ['no JSON', 'hello'],
])('%s is INTERNAL, without a word of the reply', async (_, text) => {
  const [gateway, service] = await both();
  service.connection.subscribe(BATCH, {
    queue: 'messaging-service',
    callback: (_error, message) => void message.respond(text),
  });
  await service.connection.flush();

  const failing = requestBatchForUsers(gateway, 'message:send', bodies('one', 'two'));

  await expect(failing).rejects.toMatchObject({ code: 'INTERNAL', message: 'the reply makes no sense' });
});

test.each([
  ['no list', '{}'],
  ['an empty list', '[]'],
  ['more than a batch takes', JSON.stringify(Array(BATCH_LIMITS.items + 1).fill(7))],
  ['no JSON', '[what-alice-said'],
])('a body that is %s is refused as a whole', async (_, text) => {
  const [gateway, service] = await both();
  await answerWith(house, service, { 'message:send': async ({ input }) => aMessage(input.content) });

  const reply = await gateway.connection.request(BATCH, text);

  expect(reply.json()).toMatchObject({ ok: false, error: { code: 'INVALID_PAYLOAD' } });
  expect(reply.string()).not.toContain('alice');
});

test('a batch that is not answered in time is UNAVAILABLE, and counted for each of its requests', async () => {
  const [gateway, service] = await both(100);
  service.connection.subscribe(BATCH, { queue: 'messaging-service', callback: () => undefined });
  await service.connection.flush();

  const failing = requestBatchForUsers(gateway, 'message:send', bodies('one', 'two'));

  await expect(failing).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  const counted = gateway.observer.told('requestEnded').filter(({ subject }) => subject === EACH);
  expect(counted).toEqual([0, 1].map(() => ({ subject: EACH, code: 'UNAVAILABLE' })));
});
