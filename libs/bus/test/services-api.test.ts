import { describe, expect, test } from '@jest/globals';
import { requestForUser, type Bus } from '@rapport/bus';
import { AppError, userRequests } from '@rapport/contracts';
import { answerWith, openHouse } from './kit.ts';
import { ALICE, aMessage, HELLO } from './samples.ts';

const THIS_SERVICE = { name: 'messaging-service', version: '1.2.3', id: expect.any(String) };

const house = openHouse();

// Over the protocol, as `nats micro ls`, `info` and `stats` ask.
describe.each(['ops', 'developer'] as const)('%s sees', user => {
  test('every replica of a service', async () => {
    await startReplica();
    await startReplica();
    const watcher = await house.join(user);

    const replicas = await askAll(watcher, '$SRV.PING', 2);

    expect(replicas).toMatchObject([THIS_SERVICE, THIS_SERVICE]);
    expect(new Set(replicas.map(({ id }) => id)).size).toBe(2);
  });

  test('the endpoints of a service, with subject and queue group', async () => {
    await startReplica();
    const watcher = await house.join(user);

    for (const subject of ['$SRV.INFO', '$SRV.INFO.messaging-service']) {
      const [info] = await askAll(watcher, subject, 1);

      expect(info).toMatchObject({ ...THIS_SERVICE, description: 'Answers a test.' });
      expect(info?.['endpoints']).toEqual([
        {
          name: 'message-send',
          subject: 'rpc.v1.user.message.send',
          queue_group: 'messaging-service',
          metadata: { summary: userRequests['message:send'].summary },
        },
        {
          name: 'message-send-batch',
          subject: 'rpc.v1.user.message.send-batch',
          queue_group: 'messaging-service',
          metadata: { summary: `A list of the same requests: ${userRequests['message:send'].summary}` },
        },
        {
          name: 'message-typing',
          subject: 'rpc.v1.user.message.typing',
          queue_group: 'messaging-service',
          metadata: { summary: userRequests['message:typing'].summary },
        },
      ]);
    }
  });

  test('one replica by its id', async () => {
    await startReplica();
    const watcher = await house.join(user);
    const [first] = await askAll(watcher, '$SRV.PING', 1);

    const [same] = await askAll(watcher, `$SRV.INFO.messaging-service.${String(first?.['id'])}`, 1);

    expect(same?.['id']).toBe(first?.['id']);
  });

  test('how many requests an endpoint answered, by code', async () => {
    const service = await startReplica();
    const [watcher, gateway] = [await house.join(user), await house.join('gateway')];
    for (const content of ['hello', 'conflict', 'hello']) {
      await requestForUser(gateway, 'message:send', { actor: ALICE, input: { ...HELLO, content } });
    }
    await gateway.connection.request('rpc.v1.user.message.send', 'not JSON');
    await service.observer.until('answerEnded', ({ code }) => code === 'INVALID_PAYLOAD');

    const [stats] = await askAll(watcher, '$SRV.STATS.messaging-service', 1);

    expect(stats?.['endpoints']).toMatchObject([
      {
        subject: 'rpc.v1.user.message.send',
        num_requests: 4,
        data: { codes: { OK: 2, CONFLICT: 1, INVALID_PAYLOAD: 1 } },
      },
      { subject: 'rpc.v1.user.message.send-batch', num_requests: 0 },
      { subject: 'rpc.v1.user.message.typing', num_requests: 0 },
    ]);
  });
});

async function startReplica() {
  const service = await house.join('messaging-service');
  await answerWith(house, service, {
    'message:send': async ({ input }) => {
      if (input.content === 'conflict') throw new AppError('CONFLICT', 'there already');
      return aMessage(input.content);
    },
    'message:typing': async () => ({}),
  });
  return service;
}

async function askAll(bus: Bus, subject: string, replies: number): Promise<Record<string, unknown>[]> {
  const answers = await bus.connection.requestMany(subject, '', {
    strategy: 'count',
    maxMessages: replies,
    maxWait: 20_000,
  });
  const read: Record<string, unknown>[] = [];
  for await (const answer of answers) read.push(answer.json());
  return read;
}
