import { beforeAll, expect, test } from '@jest/globals';
import { deliver, type Bus } from '@rapport/bus';
import type { DeliveryPayload } from '@rapport/contracts';
import type { Nats } from '@rapport/local-stack';
import { busAs, runningNats, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { connectedTo, runningGateway, sockets, type GatewayProcess } from './gateway-process.ts';
import { rawConnected, type RawSocket } from './raw-socket.ts';

const MAX_QUEUED_BYTES = 400_000;
const BODY = 'x'.repeat(20_000);
/** Far more than the kernel takes on for a connection on the loopback device. */
const MOST = 2_000;

let nats: Nats;
let gateway: GatewayProcess;
let service: Bus;

beforeAll(async () => {
  nats = await runningNats();
  gateway = await runningGateway(nats, { MAX_QUEUED_BYTES: String(MAX_QUEUED_BYTES) });
  service = await busAs(nats, 'messaging-service');
}, START_TIMEOUT_MS);

const message = (userId: string, content: string): void =>
  deliver(service, { user: userId }, 'message:received', { content } as DeliveryPayload<'message:received'>);
const typing = (userId: string, from: string): void =>
  deliver(service, { user: userId }, 'user:typing', { userId: from, isTyping: true });
const relayed = () => gateway.metric('rapport_deliveries_relayed_total');
const overflowed = () => gateway.metric('rapport_sockets_overflowed_total');

test('a client that does not read is closed and counted, and nobody else notices, not even another of the user', async () => {
  const [deaf, fine, other] = await Promise.all([
    rawConnected(gateway, 'deaf'),
    rawConnected(gateway, 'deaf'),
    connectedTo(gateway, 'other'),
  ]);
  const memory = await gateway.metric('process_resident_memory_bytes');
  deaf.socket.pause();
  let sent = 0;
  while ((await overflowed()) === 0 && sent < MOST) {
    for (let count = 0; count < 10; count += 1, sent += 1) message('deaf', BODY);
    await service.connection.flush();
    await until(() => fine.frames.filter(frame => frame.startsWith('42["message:received"')).length === sent);
    expect(await other.emitWithAck('no:such')).toMatchObject({ error: { code: 'INVALID_PAYLOAD' } });
  }
  expect(await overflowed()).toBe(1);
  await sockets(gateway, 2);
  expect(await gateway.metric('process_resident_memory_bytes')).toBeLessThan(memory + 150_000_000);
  typing('deaf', 'after');
  await fine.frame('42["user:typing",{"userId":"after"');
});

test('typing is left out first for a client that does not keep up, and nothing else is', async () => {
  // Of the 26 MB the kernel takes less than 11, so that more than half of the bound and less than all of it waits.
  const patient = await runningGateway(nats, { MAX_QUEUED_BYTES: '30000000' });
  const [late, witness] = await Promise.all([rawConnected(patient, 'late'), rawConnected(patient, 'late')]);
  const messagesOf = ({ frames }: RawSocket) => frames.filter(frame => frame.startsWith('42["message:received"'));
  const typingOf = ({ frames }: RawSocket) => frames.filter(frame => frame.startsWith('42["user:typing"'));
  late.socket.pause();
  for (let sent = 0; sent < 1_300;) {
    for (let count = 0; count < 10; count += 1, sent += 1) message('late', BODY);
    await until(() => messagesOf(witness).length === sent);
  }
  for (let count = 0; count < 50; count += 1) typing('late', `typist-${count}`);
  message('late', 'the last one');
  await until(() => messagesOf(witness).length === 1_301);
  expect(typingOf(witness)).toHaveLength(50);

  late.socket.resume();
  await late.frame('42["message:received",{"content":"the last one"');
  expect(messagesOf(late)).toHaveLength(1_301);
  expect(typingOf(late)).toEqual([]);
  await until(async () => {
    typing('late', 'again');
    await service.connection.flush();
    return typingOf(late).length > 0;
  });
  expect(await patient.metric('rapport_sockets_overflowed_total')).toBe(0);
});

test('every delivery is counted, for whom there is a socket', async () => {
  const before = await relayed();
  const socket = await connectedTo(gateway, 'counted');
  const arrived = new Promise(resolve => socket.once('user:typing', resolve));
  typing('nobody', 'x');
  typing('counted', 'x');
  await arrived;
  expect(await relayed()).toBe(before + 1);
});
