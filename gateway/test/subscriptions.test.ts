import { beforeAll, describe, expect, test } from '@jest/globals';
import { deliver, type Bus } from '@rapport/bus';
import type { DeliveryPayload } from '@rapport/contracts';
import type { Socket } from 'socket.io-client';
import { busAs, runningNats, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { connectedTo, runningGateway, sockets, tokenFor, type GatewayProcess } from './gateway-process.ts';
import { rawConnected, rawSocket } from './raw-socket.ts';

let gateways: GatewayProcess[];
let service: Bus;

beforeAll(async () => {
  const nats = await runningNats();
  gateways = await Promise.all([0, 1].map(() => runningGateway(nats, { MAX_HANDSHAKES_PER_SECOND: '0' })));
  service = await busAs(nats, 'messaging-service');
}, START_TIMEOUT_MS);

const recipients = (index = 0) => gateways[index]!.metric('rapport_recipients');
const relayed = (index = 0) => gateways[index]!.metric('rapport_deliveries_relayed_total');
const typing = (user: string, from: string, except?: string): void =>
  deliver(service, { user }, 'user:typing', { userId: from, isTyping: true }, { except });
const message = (user: string, id: string): void =>
  deliver(service, { user }, 'message:received', { id } as DeliveryPayload<'message:received'>);

/** The ids that the socket is sent, up to the last. */
function idsUpTo(socket: Socket, last: string): Promise<string[]> {
  const ids: string[] = [];
  return new Promise(resolve =>
    socket.on('message:received', ({ id }: { id: string }) => {
      ids.push(id);
      if (id === last) resolve(ids);
    }),
  );
}

test('a user on both gateways has every delivery once on each socket', async () => {
  const both = [await connectedTo(gateways[0]!, 'both'), await connectedTo(gateways[1]!, 'both')];
  const same = await connectedTo(gateways[0]!, 'both');
  const arriving = [...both, same].map(socket => idsUpTo(socket, 'm-9'));
  const ids = Array.from({ length: 10 }, (_, index) => `m-${index}`);
  for (const id of ids) message('both', id);
  expect(await Promise.all(arriving)).toEqual([ids, ids, ids]);
});

test('Rapport-Except leaves out the one socket it names, and no other of the user, on whichever gateway', async () => {
  const all = [
    await connectedTo(gateways[0]!, 'e'),
    await connectedTo(gateways[0]!, 'e'),
    await connectedTo(gateways[1]!, 'e'),
  ];
  const [left, , far] = all;
  const senders: string[][] = all.map(() => []);
  const ends = all.map(
    (socket, index) =>
      new Promise<void>(resolve =>
        socket.on('user:typing', ({ userId }: { userId: string }) => {
          senders[index]!.push(userId);
          if (userId === 'end') resolve();
        }),
      ),
  );
  typing('e', 'all-but-the-first', left!.id);
  typing('e', 'all-but-the-last', far!.id);
  typing('e', 'all', 'no-such-socket');
  typing('e', 'end');
  await Promise.all(ends);
  expect(senders).toEqual([
    ['all-but-the-last', 'all', 'end'],
    ['all-but-the-first', 'all-but-the-last', 'all', 'end'],
    ['all-but-the-first', 'all', 'end'],
  ]);
});

describe('a gateway listens for a user', () => {
  test('through a blink of their connection, and no more a while after their last socket left', async () => {
    const watched = gateways[1]!;
    await until(async () => (await recipients(1)) === 0 || (await watched.metric('rapport_sockets')) > 0);
    const [before, count] = [await recipients(1), await watched.metric('rapport_sockets')];
    const [one, two] = [await connectedTo(watched, 'blink'), await connectedTo(watched, 'blink')];
    expect(await recipients(1)).toBe(before + 1);
    one.disconnect();
    two.disconnect();
    await sockets(watched, count);
    expect(await recipients(1)).toBe(before + 1);
    const passed = await relayed(1);
    message('blink', 'm-1');
    await until(async () => (await relayed(1)) === passed + 1);

    const back = await connectedTo(watched, 'blink');
    expect(await recipients(1)).toBe(before + 1);
    back.disconnect();
    await until(async () => (await recipients(1)) === before);
    message('blink', 'm-2');
    await service.connection.flush();
    expect(await relayed(1)).toBe(passed + 1);
  });

  test('of a room only as long as the socket that asked for it is there, however it goes', async () => {
    const before = await recipients();
    const count = await gateways[0]!.metric('rapport_sockets');
    for (let round = 0; round < 40; round += 1) {
      const raw = await rawConnected(gateways[0]!, 'racing');
      for (let id = 0; id < 5; id += 1) {
        const token = tokenFor('racing', { role: 'therapist', therapistId: `dr-${round}-${id}` });
        raw.socket.send(`42${id}["auth:refresh",${JSON.stringify({ token })}]`);
      }
      if (round % 2) raw.socket.terminate();
      else raw.socket.close();
    }
    await sockets(gateways[0]!, count);
    await until(async () => (await recipients()) === before);
    expect(gateways[0]!.child.errors).toEqual([]);
  });

  test('only while a handshake needs it, when thousands are broken off in the middle', async () => {
    const before = await recipients();
    const count = await gateways[0]!.metric('rapport_sockets');
    for (let batch = 0; batch < 20; batch += 1) {
      const raws = await Promise.all(Array.from({ length: 100 }, () => rawSocket(gateways[0]!)));
      raws.forEach(({ socket }, index) => {
        socket.send(`40${JSON.stringify({ token: tokenFor(`broken-${batch}-${index}`, { role: 'therapist' }) })}`);
        if (index % 3 === 0) socket.terminate();
        else if (index % 3 === 1) socket.close();
        else setImmediate(() => socket.terminate());
      });
      await Promise.all(raws.map(({ closed }) => closed));
    }
    await sockets(gateways[0]!, count);
    await until(async () => (await recipients()) === before);
    expect(gateways[0]!.child.errors).toEqual([]);
  });
});
