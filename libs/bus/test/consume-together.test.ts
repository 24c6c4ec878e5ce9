import { expect, test } from '@jest/globals';
import { consumeTogether, type Bus, type Fact } from '@rapport/bus';
import { factHeaders, FACT_SUBJECT, publishOne, untilConsumer } from './consumption.ts';
import { CONSUMER, LONG_MS, openHouse } from './kit.ts';
import { aFact } from './samples.ts';

const house = openHouse();
const EVERY_MS = 100;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Remembers by their ids which facts it has handled, as a service does by what they are about. */
function consumeTogetherUntil(bus: Bus, count: number, handle: (seqs: readonly number[]) => void): Promise<void> {
  const done = Promise.withResolvers<void>();
  const known = new Set<string>();
  const work = async (facts: readonly Fact<'message.sent'>[]): Promise<{ repeated: number }> => {
    const fresh = [...new Map(facts.map(fact => [fact.id, fact])).values()].filter(({ id }) => !known.has(id));
    handle(fresh.map(({ data }) => data.seq));
    for (const { id } of fresh) known.add(id);
    if (known.size === count) done.resolve();
    return { repeated: facts.length - fresh.length };
  };
  const consuming = consumeTogether(bus, CONSUMER, work, EVERY_MS);
  house.afterwards(() => consuming.stop());
  return done.promise;
}

test('facts that come together are handled together, each once and in the order of the stream', async () => {
  const service = await house.join('messaging-service');
  await Promise.all(numbers(3_000).map(seq => publishOne(service, seq)));
  const batches: (readonly number[])[] = [];

  await consumeTogetherUntil(service, 3_000, seqs => batches.push(seqs));

  expect(batches.flat().toSorted((one, other) => one - other)).toEqual(numbers(3_000));
  expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(2_000);
  expect(batches.length).toBeLessThan(100);
  for (const batch of batches) expect(batch).toEqual(batch.toSorted((one, other) => one - other));
});

test('one that fails is tried again by itself, and keeps back none of those that came with it', async () => {
  const service = await house.join('messaging-service');
  const handled: number[] = [];
  let failures = 0;
  const all = consumeTogetherUntil(service, 3, seqs => {
    if (seqs.includes(2) && failures < 2) {
      failures += 1;
      throw new Error('the database is away');
    }
    handled.push(...seqs);
  });

  await Promise.all([1, 2, 3].map(seq => publishOne(service, seq)));
  await all;

  expect(handled).toEqual([1, 3, 2]);
  await service.observer.until('consumed', () => service.observer.told('consumed').length === 4);
  expect(service.observer.told('consumed').map(({ outcome }) => outcome)).toEqual([
    'handled',
    'failed',
    'handled',
    'handled',
  ]);
});

test('a fact that its handler has handled before is counted as a repeat, in one batch and in two', async () => {
  const service = await house.join('messaging-service');
  const { id, data } = aFact(1);
  const handled: number[] = [];
  const all = consumeTogetherUntil(service, 2, seqs => handled.push(...seqs));
  // Another message id, as after the two minutes in which the stream itself drops a repeat.
  const tell = (messageId: string): void => {
    const headers = factHeaders({ 'ce-id': id, 'Nats-Msg-Id': messageId });
    service.connection.publish(FACT_SUBJECT, JSON.stringify(data), { headers });
  };

  tell('first');
  tell('second');
  await service.observer.until('consumed', () => service.observer.told('consumed').length === 2);
  tell('third');
  await service.observer.until('consumed', ({ outcome }) => outcome === 'repeated');
  await publishOne(service, 2);
  await all;

  expect(handled).toEqual([1, 2]);
});

test('one that is stopped while it waits for more gives back what it has, to another replica at once', async () => {
  const [leaving, staying] = [await house.join('messaging-service'), await house.join('messaging-service')];
  const handled: number[] = [];
  const waiting = consumeTogether(leaving, CONSUMER, () => Promise.reject(new Error('never')), LONG_MS);
  house.afterwards(() => waiting.stop());
  await publishOne(leaving, 1);
  await untilConsumer(house, ({ num_ack_pending: sent }) => sent === 1);

  await waiting.stop();
  await consumeTogetherUntil(staying, 1, seqs => handled.push(...seqs));

  expect(handled).toEqual([1]);
});

test('one can be stopped before it has begun', async () => {
  const service = await house.join('messaging-service');

  await consumeTogether(service, CONSUMER, () => Promise.reject(new Error('never')), EVERY_MS).stop();

  expect(service.observer.told('log').filter(({ level }) => level === 'warn')).toEqual([]);
});
