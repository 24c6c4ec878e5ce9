import { beforeAll, expect, test } from '@jest/globals';
import type { Stack } from '@rapport/local-stack';
import { connected, databaseOf, next, runningStack, send, STACK_TIMEOUT_MS } from './kit.ts';
import { sendUntilAcked, type Acked } from './traffic.ts';

const SENDERS = 6;
const EACH = 40;
const KILL_TIMEOUT_MS = 120_000;

let stack: Stack;

beforeAll(async () => {
  stack = await runningStack({ processes: { gateway: 2 } });
}, STACK_TIMEOUT_MS);

test(
  'kill -9 of a gateway: its clients come back by themselves, and what they send again is stored exactly once',
  async () => {
    const gateway = stack.programs.get('gateway-1')!;
    const users = Array.from({ length: SENDERS }, (_, index) => `killed-${index}`);
    const sockets = await Promise.all(users.map(user => connected(stack, user)));
    const [elsewhere, witness] = await Promise.all([
      connected(stack, 'elsewhere', { gateway: 1 }),
      connected(stack, 'witness', { gateway: 1 }),
    ]);
    const reasons: string[] = [];
    for (const socket of sockets) socket.on('disconnect', reason => reasons.push(reason));
    elsewhere.on('disconnect', reason => reasons.push(`elsewhere: ${reason}`));
    const acked: Acked[] = [];
    const sending = users.map(async (user, index) => {
      for (let count = 0; count < EACH; count += 1) {
        acked.push(await sendUntilAcked(sockets[index]!, 'witness', `${user}-${count}`));
        if (acked.length === (SENDERS * EACH) / 4) gateway.kill('SIGKILL');
      }
    });
    await Promise.all(sending);
    expect(reasons).toEqual(Array<string>(SENDERS).fill('transport close'));

    const { rows } = await databaseOf(stack).query<{ key: string; id: string }>(
      `select client_message_id as key, id from message where sender_id like 'killed-%'`,
    );
    expect(rows).toHaveLength(SENDERS * EACH);
    const stored = new Map(rows.map(({ key, id }) => [key, id]));
    expect(acked.map(({ clientMessageId, id }) => [clientMessageId, id])).toEqual(
      acked.map(({ clientMessageId }) => [clientMessageId, stored.get(clientMessageId)]),
    );

    const arrived = next(sockets[0]!, 'message:received');
    const { id } = await send(elsewhere, users[0]!);
    expect(await arrived).toMatchObject({ id });
    const [again, received] = [await connected(stack, users[0]!, { gateway: 1 }), next(witness, 'message:received')];
    const message = await send(again, 'witness');
    expect(await received).toMatchObject({ id: message.id });
  },
  KILL_TIMEOUT_MS,
);
