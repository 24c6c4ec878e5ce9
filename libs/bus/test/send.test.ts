import { expect, test } from '@jest/globals';
import { closeBus, deliver, flushBus, listen, type Bus, type Delivery } from '@rapport/bus';
import { openHouse } from './kit.ts';
import { aMessage } from './samples.ts';

const BOB = { user: 'bob' };

const house = openHouse();

test('what is sent in one turn arrives whole and in its order, however much it is', async () => {
  const { service, received, gateway } = await listening();
  // From one byte for a character to four, and together many times what leaves at once.
  const contents = Array.from({ length: 600 }, (_, index) => `${index} ${'aé€👩'.repeat(1 + (index % 200))}`);

  for (const content of contents) say(service, content);
  await flushBus(service);
  await gateway.connection.flush();

  expect(received.map(contentOf)).toEqual(contents);
});

test.each([
  ['flushes', flushBus],
  ['closes', closeBus],
])('whoever %s in the turn of the sending has that wait for it', async (_, end) => {
  const { service, received, gateway } = await listening();
  const { outMsgs } = service.connection.stats();

  say(service, 'now');
  const ending = end(service);
  // It went before the question that the server answers when it has everything.
  expect(service.connection.stats().outMsgs).toBe(outMsgs + 1);
  await ending;
  await gateway.connection.flush();

  expect(received.map(contentOf)).toEqual(['now']);
});

test('what is larger than NATS takes is refused, and nothing else with it', async () => {
  const { service, received, gateway } = await listening();
  const most = service.connection.info?.max_payload ?? 0;

  say(service, 'before');
  expect(() => say(service, 'é'.repeat(most / 2))).toThrow(/^a message of \d+ bytes, where NATS takes 1048576$/);
  say(service, 'after');
  await flushBus(service);
  await gateway.connection.flush();

  expect(received.map(contentOf)).toEqual(['before', 'after']);
});

test('on a connection that is closed nothing is sent', async () => {
  const service = await house.join('messaging-service');
  await closeBus(service);

  expect(() => say(service, 'too late')).toThrow('closed connection');
});

async function listening() {
  const [gateway, service] = [await house.join('gateway'), await house.join('messaging-service')];
  const received: Delivery[] = [];
  await listen(gateway, BOB, delivery => void received.push(delivery)).established();
  return { gateway, service, received };
}

function say(bus: Bus, content: string): void {
  deliver(bus, BOB, 'message:received', aMessage(content));
}

function contentOf({ text }: Delivery): string {
  return (JSON.parse(text) as { content: string }).content;
}
