import { beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Bus } from '@rapport/bus';
import { MAX_REPORTED, type GatewayCallInput } from '@rapport/contracts';
import { atEnd, busAs, recordedLog, runningNats, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import type { GatewaySocket } from '../src/gateway-socket.ts';
import { startSessionReports } from '../src/session-reports.ts';

let gateway: Bus;
let presence: Bus;

beforeAll(async () => {
  const nats = await runningNats();
  [gateway, presence] = await Promise.all([busAs(nats, 'gateway'), busAs(nats, 'presence-service')]);
}, START_TIMEOUT_MS);

/** As much of a socket as a report says. */
const socketOf = (userId: string): GatewaySocket => {
  const data = { identity: { actor: { userId, role: 'client' } }, away: false, leaving: false };
  return { id: `of-${userId}`, data } as GatewaySocket;
};

test('while the presence service is down what waits is bounded: then it is told who is there, and what they chose', async () => {
  const told: { input: GatewayCallInput<'session.report'> }[] = [];
  const answering = async (): Promise<{ unsubscribe(): void }> => {
    const data = { known: true, leaseMs: 15_000, revocation: 0, states: [] };
    const subscription = presence.connection.subscribe('rpc.v1.gateway.session.report', {
      queue: 'presence-service',
      callback: (_, message) => {
        told.push(message.json());
        message.respond(JSON.stringify({ ok: true, data }));
      },
    });
    await presence.connection.flush();
    return subscription;
  };
  const [ann, ben] = [socketOf('ann'), socketOf('ben')];
  const { log, lines } = recordedLog();
  const service = await answering();
  const reports = startSessionReports({
    bus: gateway,
    log,
    actor: { gateway: randomUUID() },
    sockets: new Map([[ann.id, ann]]),
    onReported: () => undefined,
    onRevocation: () => undefined,
  });
  atEnd(() => reports.stop());
  await until(() => told.length === 1);

  service.unsubscribe();
  await presence.connection.flush();
  reports.join(ben);
  await until(() => lines.some(line => line.includes('sessions could not be reported')));
  const chosen = reports.set(ann, 'dnd');
  for (let times = 0; times < 6 * MAX_REPORTED; times += 1) {
    reports.leave(ben);
    reports.join(ben);
  }
  await answering();
  await chosen;

  const what = told.map(({ input }) => [input.begin, input.joined.length, input.left.length, input.set.length]);
  expect(what).toEqual([
    [true, 1, 0, 0],
    // This one was under way when the service went.
    [false, 1, 0, 0],
    [true, 1, 0, 0],
    [false, 0, 0, 1],
  ]);
});
