import { expect, test } from '@jest/globals';
import type { Fact } from '@rapport/bus';
import { consumeFacts, factHeaders, FACT_SUBJECT, memoryInbox, publishOne, untilConsumer } from './consumption.ts';
import { openHouse } from './kit.ts';
import { aFact } from './samples.ts';

const house = openHouse();

test('a fact reaches its consumer with its id, its time and its data', async () => {
  const service = await house.join('messaging-service');
  const facts: Fact<'message.sent'>[] = [];
  consumeFacts(house, service, fact => void facts.push(fact));

  const published = await publishOne(service);

  expect(await service.observer.until('consumed')).toEqual({ fact: 'message.sent', outcome: 'handled' });
  expect(facts).toEqual([published]);
});

test('facts are handled one at a time, in the order of the stream', async () => {
  const service = await house.join('messaging-service');
  const steps: string[] = [];
  const done = Promise.withResolvers<void>();
  consumeFacts(house, service, async ({ data }) => {
    steps.push(`begin ${data.seq}`);
    await service.connection.flush();
    steps.push(`end ${data.seq}`);
    if (data.seq === 50) done.resolve();
  });
  const order = Array.from({ length: 50 }, (_, index) => index + 1);

  for (const seq of order) await publishOne(service, seq);
  await done.promise;

  expect(steps).toEqual(order.flatMap(seq => [`begin ${seq}`, `end ${seq}`]));
});

test('a consumer that comes back goes on where it was', async () => {
  const first = await house.join('messaging-service');
  const handledBefore: number[] = [];
  const consuming = consumeFacts(house, first, ({ data }) => void handledBefore.push(data.seq));
  await publishOne(first, 1);
  await first.observer.until('consumed');
  await consuming.stop();
  await publishOne(first, 2);
  await publishOne(first, 3);
  const second = await house.join('messaging-service');
  const handledAfter: number[] = [];
  const both = Promise.withResolvers<void>();

  consumeFacts(house, second, ({ data }) => {
    handledAfter.push(data.seq);
    if (handledAfter.length === 2) both.resolve();
  });
  await both.promise;

  expect(handledBefore).toEqual([1]);
  expect(handledAfter).toEqual([2, 3]);
});

test('a fact that was handled before is not handled again', async () => {
  const service = await house.join('messaging-service');
  const handled: string[] = [];
  const { id, data } = aFact();
  consumeFacts(house, service, fact => void handled.push(fact.id));

  // Another message id, as after the two minutes in which the stream itself drops a repeat.
  for (const messageId of ['first', 'second']) {
    const headers = factHeaders({ 'ce-id': id, 'Nats-Msg-Id': messageId });
    service.connection.publish(FACT_SUBJECT, JSON.stringify(data), { headers });
  }
  await service.observer.until('consumed', ({ outcome }) => outcome === 'repeated');

  expect(handled).toEqual([id]);
  expect(service.observer.told('consumed').map(({ outcome }) => outcome)).toEqual(['handled', 'repeated']);
});

test('two replicas share the facts of one consumer', async () => {
  const [first, second] = [await house.join('messaging-service'), await house.join('messaging-service')];
  const inbox = memoryInbox();
  const handled: number[] = [];
  const all = Promise.withResolvers<void>();
  for (const replica of [first, second]) {
    consumeFacts(
      house,
      replica,
      ({ data }) => {
        handled.push(data.seq);
        if (data.seq === 20) all.resolve();
      },
      inbox,
    );
  }

  for (let seq = 1; seq <= 20; seq += 1) await publishOne(first, seq);
  await all.promise;

  expect(new Set(handled).size).toBe(handled.length);
});

test('a consumer can be stopped before it has begun', async () => {
  const service = await house.join('messaging-service');

  await consumeFacts(house, service, () => {}).stop();

  expect(service.observer.told('log').filter(({ level }) => level === 'warn')).toEqual([]);
});

test('what a consumer that stops has fetched and not begun goes to another replica at once', async () => {
  const [leaving, staying] = [await house.join('messaging-service'), await house.join('messaging-service')];
  const [begun, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const all = Promise.withResolvers<void>();
  const handled: Record<'leaving' | 'staying', number[]> = { leaving: [], staying: [] };
  for (let seq = 1; seq <= 5; seq += 1) await publishOne(leaving, seq);
  const consuming = consumeFacts(house, leaving, async ({ data }) => {
    begun.resolve();
    await release.promise;
    handled.leaving.push(data.seq);
  });
  await begun.promise;
  await untilConsumer(house, ({ num_ack_pending: sent }) => sent === 5);
  consumeFacts(house, staying, ({ data }) => {
    handled.staying.push(data.seq);
    if (handled.staying.length === 4) all.resolve();
  });
  await untilConsumer(house, ({ num_waiting: replicas }) => replicas === 2);

  const stopped = consuming.stop();
  release.resolve();
  await Promise.all([stopped, all.promise]);

  expect(handled.leaving).toEqual([1]);
  expect(new Set(handled.staying)).toEqual(new Set([2, 3, 4, 5]));
});
