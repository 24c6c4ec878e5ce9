import { expect, test } from '@jest/globals';
import { jetstreamManager, type ConsumerInfo, type StreamInfo } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { provision } from '@rapport/bus';
import { publishOne } from './consumption.ts';
import { CONSUMER, openHouse } from './kit.ts';

const house = openHouse();

test('there is one stream of all facts, in files, and a durable consumer with one filter', async () => {
  const { stream, consumer } = await look();

  expect(stream.config).toMatchObject({
    name: 'EVENTS',
    subjects: ['event.v1.>'],
    retention: 'limits',
    storage: 'file',
    num_replicas: 1,
  });
  expect(consumer.config).toMatchObject({
    durable_name: 'messaging-service_message-sent',
    filter_subject: 'event.v1.message.sent',
    ack_policy: 'explicit',
    deliver_policy: 'all',
    max_deliver: -1,
    max_ack_pending: 4_000,
  });
});

test('provisioning again changes nothing, and loses nothing', async () => {
  const [service, provisioner] = [await house.join('messaging-service'), await house.join('provisioner')];
  await publishOne(service);
  const before = await look();

  await provision(provisioner, { replicas: 1, consumers: [CONSUMER] });
  await provision(provisioner, { replicas: 1, consumers: [CONSUMER] });

  const after = await look();
  expect(after.stream.config).toEqual(before.stream.config);
  expect(after.stream.state).toEqual(before.stream.state);
  expect(after.stream.created).toBe(before.stream.created);
  expect(after.consumer.config).toEqual(before.consumer.config);
  expect(after.consumer.created).toBe(before.consumer.created);
  expect(after.consumer.num_pending).toBe(before.consumer.num_pending);
});

test('two who provision at once do not disturb each other', async () => {
  const before = await look();
  const [one, other] = [await house.join('provisioner'), await house.join('provisioner')];

  await Promise.all([one, other].map(bus => provision(bus, { replicas: 1, consumers: [CONSUMER] })));

  expect((await look()).stream.created).toBe(before.stream.created);
});

async function look(): Promise<{ stream: StreamInfo; consumer: ConsumerInfo }> {
  const manager = await jetstreamManager((await house.join('developer')).connection, { checkAPI: false });
  return {
    stream: await manager.streams.info('EVENTS'),
    consumer: await manager.consumers.info('EVENTS', CONSUMER.durable),
  };
}

test('a stream and a consumer of an earlier version are brought up to date, and keep what they have', async () => {
  const [service, provisioner] = [await house.join('messaging-service'), await house.join('provisioner')];
  await publishOne(service);
  const wanted = await look();
  const manager = await jetstreamManager(provisioner.connection, { checkAPI: false });
  await manager.streams.update('EVENTS', { ...wanted.stream.config, max_age: nanos(3_600_000) });
  await manager.consumers.update('EVENTS', CONSUMER.durable, { ack_wait: nanos(5_000) });

  await provision(provisioner, { replicas: 1, consumers: [CONSUMER] });

  const now = await look();
  expect(now.stream.config.max_age).toBe(wanted.stream.config.max_age);
  expect(now.consumer.config.ack_wait).toBe(wanted.consumer.config.ack_wait);
  expect(now.stream.state.messages).toBe(wanted.stream.state.messages);
  expect(now.consumer.num_pending).toBe(wanted.consumer.num_pending);
});
