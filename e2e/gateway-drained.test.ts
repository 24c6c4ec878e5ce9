import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import type { Socket } from 'socket.io-client';
import { until } from '../libs/service/test/kit.ts';
import { connected, databaseOf, output, runningStack, secret, STACK_TIMEOUT_MS, type Ack } from './kit.ts';

const SENDERS = 10;
/** Sends of each socket that are under way at any time: the gateway never finds one with nothing to answer. */
const AT_ONCE = 15;
const IDLE = 60;
const DRAIN_TIMEOUT_MS = 120_000;

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({
    processes: { gateway: 2, 'messaging-service': 2 },
    // Time for what is under way, on a machine that is busy with other tests.
    env: { RATE_LIMIT_BURST: '0', MAX_HANDSHAKES_PER_SECOND: '0', SHUTDOWN_TIMEOUT_MS: '20000', DRAIN_MS: '1000' },
  });
}, STACK_TIMEOUT_MS);

test(
  'a gateway that is drained under load loses no acked send, ends in time, and its clients come back by themselves',
  async () => {
    const reasons: string[] = [];
    const closings: number[] = [];
    const watch = (socket: Socket): Socket =>
      socket.on('disconnect', reason => {
        reasons.push(reason);
        closings.push(performance.now());
      });
    const idle = await Promise.all(Array.from({ length: IDLE }, (_, index) => connected(stack, `idle-${index}`)));
    const senders = await Promise.all(Array.from({ length: SENDERS }, (_, index) => connected(stack, `busy-${index}`)));
    [...idle, ...senders].forEach(watch);
    const back = [...idle, ...senders].map(socket => new Promise(resolve => socket.io.once('reconnect', resolve)));

    const acked: string[] = [];
    const refused: string[] = [];
    const sending = senders.flatMap((socket, sender) => {
      const gone = new Promise<undefined>(resolve => socket.once('disconnect', () => resolve(undefined)));
      return Array.from({ length: AT_ONCE }, async (_, lane) => {
        for (let count = 0; socket.connected; count += 1) {
          const clientMessageId = `${sender}-${lane}-${count}`;
          const input = { recipientId: 'bob', content: secret(), clientMessageId };
          const ack = (await Promise.race([socket.emitWithAck('message:send', input), gone])) as Ack | undefined;
          if (ack?.ok) acked.push(clientMessageId);
          else if (ack) {
            refused.push(ack.error.code);
            await gone;
          }
        }
      });
    });
    await until(() => acked.length > 5 * SENDERS * AT_ONCE);
    const gateway = stack.programs.get('gateway-1')!;
    gateway.kill('SIGTERM');
    await Promise.all(sending);
    await until(() => reasons.length === SENDERS + IDLE);
    // Told "io server disconnect", as by `disconnectSockets()`, a client does not come back.
    expect(new Set(reasons)).toEqual(new Set(['transport close']));
    await Promise.all(back);
    await gateway.ready();

    expect(output().find(line => line.startsWith('gateway-1 ended ('))).toContain('exit code 0');
    // What comes too late may be told so: it is safe to send again.
    expect(refused.filter(code => code !== 'UNAVAILABLE')).toEqual([]);
    expect(reasons).toHaveLength(SENDERS + IDLE);
    // In groups: not all of them knock at the other gateways' doors at once.
    expect(Math.max(...closings) - Math.min(...closings)).toBeGreaterThan(500);

    const { rows } = await databaseOf(stack).query<{ key: string }>('select client_message_id as key from message');
    const stored = new Set(rows.map(({ key }) => key));
    expect(stored.size).toBe(rows.length);
    const answered = new Set(acked);
    expect({
      'acked and not stored': acked.filter(key => !stored.has(key)),
      // Whatever had begun was waited for, and its ack went out.
      'stored without an ack': [...stored].filter(key => !answered.has(key)),
    }).toEqual({ 'acked and not stored': [], 'stored without an ack': [] });
  },
  DRAIN_TIMEOUT_MS,
);
