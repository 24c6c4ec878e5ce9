import { expect, test } from '@jest/globals';
import { deliver, kept, listen, type Bus, type Delivery } from '@rapport/bus';
import type { Recipient } from '@rapport/contracts';
import fc from 'fast-check';
import { openHouse, type House } from './kit.ts';
import { aMessage } from './samples.ts';

const BOB = { user: 'bob' };

const house = openHouse();

test('a delivery arrives under the name that a socket knows, byte for byte as it was published', async () => {
  const { gateway, service } = await both(house);
  const inbox = await collect(gateway, BOB);
  const message = aMessage(' "\\\u0001\u2028 é e\u0301 👩‍👩‍👧 \uFEFF ');

  deliver(service, BOB, 'message:received', message);

  await inbox.holds(1);
  expect(inbox.deliveries).toEqual([
    {
      event: 'message:received',
      text: JSON.stringify(message),
      except: undefined,
      order: { line: 'alice_bob', from: 0, to: 1 },
    },
  ]);
});

test('any text arrives unchanged', async () => {
  const { gateway, service } = await both(house);
  const inbox = await collect(gateway, BOB);
  const contents = fc.sample(fc.string({ unit: 'binary', maxLength: 500 }), 200);

  for (const content of contents) deliver(service, BOB, 'message:received', aMessage(content));

  await inbox.holds(contents.length);
  const arrived = inbox.deliveries.map(({ text }) => (JSON.parse(text) as { content: string }).content);
  expect(arrived).toEqual(contents);
});

test('deliveries to one user keep their order', async () => {
  const { gateway, service } = await both(house);
  const inbox = await collect(gateway, BOB);
  const contents = Array.from({ length: 500 }, (_, index) => String(index));

  for (const content of contents) deliver(service, BOB, 'message:received', aMessage(content));

  await inbox.holds(contents.length);
  expect(inbox.deliveries.map(({ text }) => (JSON.parse(text) as { content: string }).content)).toEqual(contents);
});

test('every gateway that listens for the user gets the delivery, and nobody else does', async () => {
  const { gateway, service } = await both(house);
  const bobsOther = await collect(await house.join('gateway'), BOB);
  const [bobs, carols] = [await collect(gateway, BOB), await collect(gateway, { user: 'carol' })];
  const therapists = await collect(gateway, { therapist: 'bob' });

  deliver(service, BOB, 'user:typing', { userId: 'alice', isTyping: true });
  deliver(service, { user: 'carol' }, 'user:typing', { userId: 'alice', isTyping: false });

  await Promise.all([bobs.holds(1), bobsOther.holds(1), carols.holds(1)]);
  const forBob = { event: 'user:typing', text: '{"userId":"alice","isTyping":true}', except: undefined };
  expect(bobs.deliveries).toEqual([forBob]);
  expect(bobsOther.deliveries).toEqual([forBob]);
  expect(carols.deliveries).toEqual([{ ...forBob, text: '{"userId":"alice","isTyping":false}' }]);
  expect(therapists.deliveries).toEqual([]);
});

test('the socket to leave out travels in a header, and the payload does not show it', async () => {
  const { gateway, service } = await both(house);
  const inbox = await collect(gateway, { user: 'alice' });
  const message = aMessage('from another device');

  deliver(service, { user: 'alice' }, 'message:sent', message, { except: 'socket-7' });

  await inbox.holds(1);
  expect(inbox.deliveries).toMatchObject([
    { event: 'message:sent', text: JSON.stringify(message), except: 'socket-7' },
  ]);
});

test.each(['*', '>', 'a.b', '', ' ', 'bob\r\nPUB x 0'])(
  'an id like %j cannot be delivered to or listened for',
  async id => {
    const { gateway, service } = await both(house);

    expect(() => deliver(service, { user: id }, 'message:received', aMessage(''))).toThrow(TypeError);
    expect(() => listen(gateway, { user: id }, () => {})).toThrow(TypeError);
    expect(() => listen(gateway, { therapist: id }, () => {})).toThrow(TypeError);
  },
);

test('what was stopped hears nothing more', async () => {
  const { gateway, service } = await both(house);
  const [stopped, other] = [await collect(gateway, BOB), await collect(gateway, BOB)];

  stopped.stop();
  await gateway.connection.flush();
  deliver(service, BOB, 'message:received', aMessage('the barrier'));

  await other.holds(1);
  expect(stopped.deliveries).toEqual([]);
});

test('a receiver that throws is reported, and neither it nor the others miss what comes next', async () => {
  const { gateway, service } = await both(house);
  const failing = Promise.withResolvers<Delivery>();
  const listening = listen(gateway, BOB, delivery => {
    if (delivery.text.includes('the barrier')) failing.resolve(delivery);
    else throw new Error('a receiver of the test fails');
  });
  await listening.established();
  const other = await collect(gateway, BOB);

  deliver(service, BOB, 'message:received', aMessage('bad for one'));
  deliver(service, BOB, 'message:received', aMessage('the barrier'));

  await Promise.all([failing.promise, other.holds(2)]);
  expect(gateway.observer.told('log').filter(({ level }) => level === 'error')).toHaveLength(1);
});

async function both(at: House) {
  return { gateway: await at.join('gateway'), service: await at.join('messaging-service') };
}

async function collect(bus: Bus, recipient: Recipient) {
  const deliveries: Delivery[] = [];
  const waiting = new Map<number, () => void>();
  const listening = listen(bus, recipient, delivery => {
    deliveries.push(kept(delivery));
    waiting.get(deliveries.length)?.();
  });
  await listening.established();
  return {
    deliveries,
    stop: () => listening.stop(),
    /** Resolves once that many have arrived. */
    holds: (count: number) =>
      new Promise<void>(resolve => {
        if (deliveries.length >= count) resolve();
        else waiting.set(count, resolve);
      }),
  };
}
