import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { until } from '../libs/service/test/kit.ts';
import { connected, emit, output, runningStack, secret, STACK_TIMEOUT_MS, type Ack } from './kit.ts';

// A deploy: one of two replicas is asked to end while messages flow, as fast as the clients get their acks.
const SENDERS = 12;
const DEPLOY_TIMEOUT_MS = 90_000;

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2, 'messaging-service': 2 } });
}, STACK_TIMEOUT_MS);

/** Asks the program to end, and resolves when its successor is ready, to how it ended. */
async function deploy(name: string): Promise<string> {
  const program = stack.programs.get(name)!;
  const said = `${name} ended (`;
  program.kill('SIGTERM');
  await until(() => output().some(line => line.startsWith(said)));
  await program.ready();
  return output()
    .find(line => line.startsWith(said))!
    .slice(said.length)
    .split(')')[0]!;
}

interface Load {
  readonly acks: readonly Ack[];
  /** Resolves when every sender has stopped, or lost its connection. */
  end(): Promise<void>;
}

/** Sends without a pause through one gateway. Resolves when every sender has had an ack. */
async function load(gateway: number): Promise<Load> {
  const acks: Ack[] = [];
  let stopped = false;
  const users = Array.from({ length: SENDERS }, (_, sender) => `load-${gateway}-${sender}`);
  const sockets = await Promise.all(users.map(user => connected(stack, user, { gateway })));
  const sending = sockets.map(async socket => {
    const gone = new Promise<undefined>(resolve => socket.once('disconnect', () => resolve(undefined)));
    while (!stopped && socket.connected) {
      const sent = emit(socket, 'message:send', { recipientId: 'bob', content: secret() });
      const ack = await Promise.race([sent, gone]);
      if (ack) acks.push(ack);
    }
    socket.disconnect();
  });
  await until(() => acks.length > 5 * SENDERS);
  return {
    acks,
    async end() {
      stopped = true;
      await Promise.all(sending);
    },
  };
}

test(
  'a messaging-service that is asked to end answers what it has begun, and no sender notices',
  async () => {
    const traffic = await load(1);
    await expect(deploy('messaging-service-1')).resolves.toBe('exit code 0');
    await traffic.end();
    expect(traffic.acks.filter(({ ok }) => !ok)).toEqual([]);
  },
  DEPLOY_TIMEOUT_MS,
);

test(
  'a gateway that is asked to end under load ends within its deadline, and its clients come back by themselves',
  async () => {
    const idle = await connected(stack, 'idle', { gateway: 0 });
    const back = new Promise(resolve => idle.io.once('reconnect', resolve));
    const traffic = await load(0);
    await expect(deploy('gateway-1')).resolves.toBe('exit code 0');
    await traffic.end();
    await back;
    expect(await emit(idle, 'message:send', { recipientId: 'bob', content: secret() })).toMatchObject({ ok: true });
  },
  DEPLOY_TIMEOUT_MS,
);
