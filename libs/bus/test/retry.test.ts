import { expect, test } from '@jest/globals';
import { consumerLag } from '@rapport/bus';
import { consumeFacts, publishOne } from './consumption.ts';
import { CONSUMER, openHouse } from './kit.ts';

const house = openHouse();

test('a fact whose handler fails comes again until it succeeds, and counts as handled only then', async () => {
  const service = await house.join('messaging-service');
  const attempts: string[] = [];
  consumeFacts(house, service, ({ id }) => {
    attempts.push(id);
    if (attempts.length < 3) throw new Error('the database is away');
  });

  const { id } = await publishOne(service);
  await service.observer.until('consumed', ({ outcome }) => outcome === 'handled');

  expect(attempts).toEqual([id, id, id]);
  expect(service.observer.told('consumed').map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'handled']);
  const failures = service.observer.told('log').filter(({ level }) => level === 'error');
  expect(failures.map(({ fields }) => fields)).toEqual([
    { consumer: CONSUMER.durable, event: id, deliveries: 1, err: new Error('the database is away') },
    { consumer: CONSUMER.durable, event: id, deliveries: 2, err: new Error('the database is away') },
  ]);
});

test('a fact that fails does not keep back the ones after it', async () => {
  const service = await house.join('messaging-service');
  const handled: number[] = [];
  const both = Promise.withResolvers<void>();
  consumeFacts(house, service, ({ data }) => {
    const isFirstAttempt = service.observer.told('consumed').length === 0;
    if (isFirstAttempt) throw new Error('the database is away');
    handled.push(data.seq);
    if (handled.length === 2) both.resolve();
  });

  await publishOne(service, 1);
  await publishOne(service, 2);
  await both.promise;

  expect(handled).toEqual([2, 1]);
});

test('a fact that failed waits for the next consumer when this one stops', async () => {
  const [first, second] = [await house.join('messaging-service'), await house.join('messaging-service')];
  const failing = consumeFacts(house, first, () => {
    throw new Error('the database is away');
  });
  const { id } = await publishOne(first);
  await first.observer.until('consumed');
  await failing.stop();
  expect(await consumerLag(second, CONSUMER)).toBe(1);

  const handled: string[] = [];
  consumeFacts(house, second, fact => void handled.push(fact.id));
  await second.observer.until('consumed');

  expect(handled).toEqual([id]);
});

test('nothing that a handler rejects with escapes', async () => {
  const service = await house.join('messaging-service');
  const thrown: unknown[] = ['a text', undefined, null];
  consumeFacts(house, service, async () => {
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- libraries do reject with anything
    if (thrown.length > 0) await Promise.reject(thrown.pop());
  });

  await publishOne(service, 1);
  await publishOne(service, 2);
  await publishOne(service, 3);
  await service.observer.until('consumed', ({ outcome }) => outcome === 'handled');

  expect(thrown).toEqual([]);
  expect(service.observer.told('fatal')).toEqual([]);
});
