import { describe, expect, test } from '@jest/globals';
import { PermissionViolationError, type NatsConnection } from '@nats-io/nats-core';
import { BUS_USERS, buildSubject } from '@rapport/contracts';
import { openHouse } from './kit.ts';
import { publishCases, subscribeCases, type SubjectCase } from './rights-catalogue.ts';

// Runs on whichever nats-server is at hand; NATS_SERVER names another one. 2.9.10 and 2.15.2 were tried.

/** Nobody may publish it. The server refuses in order, so its refusal comes after all that went before. */
const BARRIER = 'the.barrier';

const house = openHouse();

describe.each(BUS_USERS)('%s', user => {
  test('may publish what the table gives it, and is refused everything else', async () => {
    const connection = await house.connectRaw(user);
    const all = publishCases();

    const refused = await refusals(connection, () => {
      for (const { subject } of all) connection.publish(subject);
    });

    expect(refused).toEqual(all.filter(({ allowed }) => !allowed.includes(user)).map(one => line('publish', one)));
  });

  test('may subscribe to what the table gives it, and is refused everything else', async () => {
    const connection = await house.connectRaw(user);
    const all = subscribeCases();

    const refused = await refusals(connection, () => {
      for (const { subject, queue } of all)
        connection.subscribe(subject, { callback: () => {}, ...(queue && { queue }) });
    });

    expect(refused).toEqual(all.filter(({ allowed }) => !allowed.includes(user)).map(one => line('subscription', one)));
  });
});

test('the catalogue tries every user with something that is allowed and something that is not', () => {
  const all = [...publishCases(), ...subscribeCases()];

  for (const user of BUS_USERS) {
    expect(all.some(({ allowed }) => allowed.includes(user))).toBe(true);
    expect(all.some(({ allowed }) => !allowed.includes(user))).toBe(true);
  }
});

test('what was refused does not arrive', async () => {
  const [gateway, backOffice] = [await house.connectRaw('gateway'), await house.connectRaw('back-office')];
  const [developer, service] = [await house.connectRaw('developer'), await house.connectRaw('messaging-service')];
  const subject = buildSubject({ family: 'delivery', to: { user: 'bob' }, name: 'message.received' });
  const texts: string[] = [];
  const arrived = Promise.withResolvers<void>();
  developer.subscribe('>', {
    callback: (_error, message) => {
      if (message.subject !== subject) return;
      texts.push(message.string());
      if (message.string() === 'from the service') arrived.resolve();
    },
  });
  await developer.flush();

  gateway.publish(subject, 'from the gateway');
  backOffice.publish(subject, 'from the back office');
  await Promise.all([gateway.flush(), backOffice.flush()]);
  service.publish(subject, 'from the service');
  await arrived.promise;

  expect(texts).toEqual(['from the service']);
});

test('a request of the back office reaches the services, and the reply its own inbox', async () => {
  const backOffice = await house.connectRaw('back-office');

  const unanswered = backOffice.request('rpc.v1.service.no.such-request', '{}', { timeout: 20_000 });

  await expect(unanswered).rejects.toMatchObject({ message: expect.stringMatching(/no responders/) });
});

/** What the server refused, in its order, while `attempt` ran. */
async function refusals(connection: NatsConnection, attempt: () => void): Promise<string[]> {
  const refused: string[] = [];
  const statuses = connection.status();
  attempt();
  connection.publish(BARRIER);
  for await (const status of statuses) {
    if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
    const { operation, subject, queue } = status.error;
    if (subject === BARRIER) break;
    refused.push(line(operation, { subject, ...(queue && { queue }) }));
  }
  return refused;
}

function line(operation: string, { subject, queue }: Omit<SubjectCase, 'allowed'>): string {
  return [operation, subject, ...(queue ? ['in', queue] : [])].join(' ');
}
