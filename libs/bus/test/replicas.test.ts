import { expect, test } from '@jest/globals';
import { requestForUser } from '@rapport/bus';
import { answerWith, openHouse } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const REQUESTS = 200;

const house = openHouse();

test('two replicas share the requests: each is handled once, by one of them', async () => {
  const gateway = await house.join('gateway');
  const handled: Record<'first' | 'second', string[]> = { first: [], second: [] };
  for (const replica of ['first', 'second'] as const) {
    await answerWith(house, await house.join('messaging-service'), {
      'message:send': async ({ input }) => {
        handled[replica].push(input.content);
        return aMessage(input.content);
      },
    });
  }
  const contents = Array.from({ length: REQUESTS }, (_, index) => `message ${index}`);

  const replies = await Promise.all(
    contents.map(content => requestForUser(gateway, 'message:send', { actor: ALICE, input: { ...HELLO, content } })),
  );

  expect(replies.map(reply => reply.read())).toMatchObject(contents.map(content => ({ ok: true, data: { content } })));
  expect([...handled.first, ...handled.second].toSorted()).toEqual(contents.toSorted());
  // The server picks one at random: by chance alone this fails once in 2^199 runs.
  expect(handled.first.length).toBeGreaterThan(0);
  expect(handled.second.length).toBeGreaterThan(0);
});

test('when one replica goes, the other answers everything', async () => {
  const [gateway, leaving] = [await house.join('gateway'), await house.join('messaging-service')];
  const first = await answerWith(house, leaving, { 'message:send': async () => aMessage('first') });
  await answerWith(house, await house.join('messaging-service'), { 'message:send': async () => aMessage('second') });

  await first.stop();
  await leaving.connection.flush();
  const replies = await Promise.all(
    Array.from({ length: 20 }, () => requestForUser(gateway, 'message:send', { actor: ALICE, input: HELLO })),
  );

  expect(replies.map(reply => reply.read())).toEqual(
    replies.map(() => ({ ok: true, data: expect.objectContaining({ content: 'second' }) })),
  );
  expect(leaving.observer.told('fatal')).toEqual([]);
});
