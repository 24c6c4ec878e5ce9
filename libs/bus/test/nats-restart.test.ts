import { expect, test } from '@jest/globals';
import { deliver, listen, pingBus, requestForUser, type Delivery } from '@rapport/bus';
import { consumeFacts, publishOne } from './consumption.ts';
import { answerWith, openHouse, type Joined } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const house = openHouse();

test('NATS is killed and comes back: requests, deliveries and facts go on by themselves', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const received: Delivery[] = [];
  const listening = listen(gateway, { user: 'bob' }, delivery => void received.push(delivery));
  await listening.established();
  const handled: string[] = [];
  consumeFacts(house, service, fact => void handled.push(fact.id));
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      const message = aMessage(input.content);
      deliver(service, { user: input.recipientId }, 'message:received', message);
      return message;
    },
  });
  const sendOne = (content: string) =>
    requestForUser(gateway, 'message:send', { actor: ALICE, input: { ...HELLO, content } });
  await sendOne('before');
  const before = await publishOne(service, 1);
  await service.observer.until('consumed');

  house.nats.process.kill('SIGKILL');
  await Promise.all([hasReconnected(gateway), hasReconnected(service)]);
  const reply = await sendOne('after');
  const after = await publishOne(service, 2);
  await service.observer.until('consumed', () => handled.includes(after.id));
  await gateway.connection.flush();

  expect(reply.read()).toMatchObject({ ok: true, data: { content: 'after' } });
  expect(received.map(({ text }) => (JSON.parse(text) as { content: string }).content)).toEqual(['before', 'after']);
  expect(new Set(handled)).toEqual(new Set([before.id, after.id]));
  expect([...gateway.observer.told('fatal'), ...service.observer.told('fatal')]).toEqual([]);
});

test('a request that is made while NATS is away is UNAVAILABLE after its time-out, and the next one is answered', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  await answerWith(house, service, { 'message:send': async ({ input }) => aMessage(input.content) });
  const request = { actor: ALICE, input: HELLO };

  house.nats.process.kill('SIGKILL');
  await gateway.observer.until('log', ({ message }) => message === 'NATS connection lost, reconnecting');
  const hasty = requestForUser({ ...gateway, requestTimeoutMs: 1 }, 'message:send', request);
  await expect(hasty).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await Promise.all([hasReconnected(gateway), hasReconnected(service)]);
  const reply = await requestForUser(gateway, 'message:send', request);

  expect(reply.code).toBe('OK');
});

async function hasReconnected(bus: Joined): Promise<void> {
  await bus.observer.until('log', ({ message }) => message === 'NATS connection is back');
  // The subscriptions were sent before this ping, so the server has them once it is answered.
  await pingBus(bus);
}
