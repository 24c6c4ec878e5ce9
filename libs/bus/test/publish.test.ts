import { expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { consumerLag, publish } from '@rapport/bus';
import { FACT_SUBJECT, publishOne } from './consumption.ts';
import { CONSUMER, openHouse } from './kit.ts';
import { aFact } from './samples.ts';

const house = openHouse();

test('on the wire a fact is a CloudEvent in binary mode, and its id the one that the stream knows it by', async () => {
  const [service, developer] = [await house.join('messaging-service'), await house.connectRaw('developer')];
  const seen = developer.subscribe(FACT_SUBJECT, { max: 1 });
  await developer.flush();

  const { id, time, data } = await publishOne(service);

  const { value: message } = await seen[Symbol.asyncIterator]().next();
  expect(message?.json()).toEqual(data);
  const header = (name: string) => message?.headers?.get(name);
  expect(header('ce-specversion')).toBe('1.0');
  expect(header('ce-id')).toBe(id);
  expect(header('Nats-Msg-Id')).toBe(id);
  expect(header('ce-source')).toBe('/messaging-service');
  expect(header('ce-type')).toBe(FACT_SUBJECT);
  expect(header('ce-time')).toBe(time.toISOString());
  expect(header('content-type')).toBe('application/json');
});

test('a fact that is published twice is stored once', async () => {
  const [service, developer] = [await house.join('messaging-service'), await house.join('developer')];
  const manager = await jetstreamManager(developer.connection, { checkAPI: false });
  const before = await manager.streams.info('EVENTS');
  const fact = aFact();

  await publish(service, 'message.sent', fact);
  await publish(service, 'message.sent', fact);

  const after = await manager.streams.info('EVENTS');
  expect(after.state.messages - before.state.messages).toBe(1);
});

test('the lag of a consumer is what waits for it', async () => {
  const service = await house.join('messaging-service');
  const before = await consumerLag(service, CONSUMER);
  for (let seq = 1; seq <= 3; seq += 1) await publishOne(service, seq);

  expect((await consumerLag(service, CONSUMER)) - before).toBe(3);
});

test('a fact that the stream did not store is an error for who publishes it', async () => {
  const gateway = await house.join('gateway');

  await expect(publish(gateway, 'message.sent', aFact())).rejects.toThrow(/permissions violation/i);
});
