import { expect, test } from '@jest/globals';
import { deliver, listen, requestForUser } from '@rapport/bus';
import { answerWith, openHouse } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

// A service may publish deliveries, and whoever asks it chooses where the answer goes: if it answered
// everywhere, anybody who may ask could put a text of theirs on somebody's screen.

const BOBS_SCREEN = 'deliver.v1.user.bob.message.received';
const REQUEST = { actor: ALICE, input: HELLO };

const house = openHouse();

test.each([
  ['gateway', 'rpc.v1.user.message.send'],
  ['ops', '$SRV.PING'],
  ['ops', '$SRV.INFO'],
  ['ops', '$SRV.STATS'],
  ['ops', '$SRV.PING.messaging-service'],
  ['developer', '$SRV.INFO.messaging-service'],
] as const)('%s cannot have the answer to %s published where an inbox is not', async (user, subject) => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const caller = await house.connectRaw(user);
  await answerWith(house, service, { 'message:send': async ({ input }) => aMessage(input.content) });
  const barrier = aMessage('the barrier');
  const texts: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const listening = listen(gateway, { user: 'bob' }, ({ text }) => {
    texts.push(text);
    if (text.includes(barrier.id)) arrived.resolve();
  });
  await listening.established();

  caller.publish(subject, JSON.stringify(REQUEST), { reply: BOBS_SCREEN });
  await caller.flush();
  const reply = await requestForUser(gateway, 'message:send', REQUEST);
  deliver(service, { user: 'bob' }, 'message:received', barrier);
  await arrived.promise;

  expect(texts).toEqual([JSON.stringify(barrier)]);
  expect(service.observer.told('setAside')).toEqual([{ subject }]);
  expect(reply.code).toBe('OK');
});

test('a request without a reply subject is not worked on', async () => {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const worked: string[] = [];
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      worked.push(input.content);
      return aMessage('');
    },
  });

  gateway.connection.publish('rpc.v1.user.message.send', JSON.stringify(REQUEST));
  await requestForUser(gateway, 'message:send', { ...REQUEST, input: { ...HELLO, content: 'the barrier' } });

  expect(worked).toEqual(['the barrier']);
});
