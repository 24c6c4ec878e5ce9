import { beforeAll, expect, test } from '@jest/globals';
import { env } from 'node:process';
import { userRequests } from '@rapport/contracts';
import type { Stack } from '@rapport/local-stack';
import fc from 'fast-check';
import type { Socket } from 'socket.io-client';
import { collectedMemory, withMemoryOnSignal } from '../bench/measure/collected-memory.ts';
import { temporaryFolder } from '../libs/service/test/kit.ts';
import { connected, databaseOf, next, runningStack, send, STACK_TIMEOUT_MS } from './kit.ts';
import { afterInput, eventName, hostileInput } from './hostile-values.ts';

const INPUTS = 100_000;
const BATCH = 1_000;
/** Code is compiled and pools are filled by then: from there on memory has no reason to grow. */
const WARM_UP = 30_000;
/** Less than a packet may have: a larger one closes the socket. */
const MAX_BYTES = 60_000;
const HOSTILE_TIMEOUT_MS = 180_000;

const MOST_GROWTH = 2_000_000;

let stack: Stack;
const folder = temporaryFolder();

beforeAll(async () => {
  // Every process of the stack has it from here.
  env['NODE_OPTIONS'] = withMemoryOnSignal(folder);
  stack = await runningStack({ env: { RATE_LIMIT_BURST: '0', LOG_LEVEL: 'info' } });
}, STACK_TIMEOUT_MS);

interface Packet {
  readonly event: string;
  readonly input: unknown;
  readonly after: readonly unknown[];
  readonly wantsAck: boolean;
}

/** By the schema of the contract; what is binary is no JSON, and arrives as a Buffer. */
function isHostile({ event, input, after }: Packet): boolean {
  if (Buffer.byteLength(JSON.stringify([event, input, after])) > MAX_BYTES) return false;
  if (event === 'auth:refresh') {
    const { token } = (input ?? {}) as { token?: unknown };
    return typeof token !== 'string' || token === '';
  }
  if (!Object.hasOwn(userRequests, event)) return true;
  const asArrived: unknown = JSON.parse(JSON.stringify(input) ?? 'null');
  const holdsBinary = JSON.stringify(input)?.includes('"Buffer"') ?? false;
  return !holdsBinary && !userRequests[event as keyof typeof userRequests].input.safeParse(asArrived).success;
}

const packet = fc.record({ event: eventName, input: hostileInput, after: afterInput, wantsAck: fc.boolean() });

/** Sends them all, and resolves when each is answered: to the ack or the error event. */
async function answersTo(socket: Socket, packets: readonly Packet[]): Promise<{ code?: string; details?: unknown }[]> {
  const withoutAck = packets.filter(({ wantsAck }) => !wantsAck).length;
  const errors: { code: string }[] = [];
  const gone = new Promise<never>((_resolve, reject) => {
    socket.once('disconnect', reason => reject(new Error(`the gateway let go: ${reason}`)));
  });
  gone.catch(() => undefined);
  const told = new Promise<void>(resolve => {
    if (withoutAck === 0) resolve();
    socket.on('error', (error: { code: string }) => {
      if (errors.push(error) === withoutAck) resolve();
    });
  });
  const acks = packets.map(async ({ event, input, after, wantsAck }) => {
    if (!wantsAck) return void socket.emit(event, input, ...after);
    const ack = (await socket.emitWithAck(event, input, ...after)) as { ok: boolean; error?: { code: string } };
    return ack.error ?? { code: 'OK' };
  });
  const answers = await Promise.race([Promise.all([...acks, told]), gone]);
  socket.off('error').off('disconnect');
  return [...answers.filter(answer => answer !== undefined), ...errors];
}

/** What the gateway holds after its garbage was collected, in bytes. */
async function memory(): Promise<number> {
  const { heapUsed, external } = await collectedMemory(stack.programs.get('gateway')!.pid!, folder);
  return heapUsed + external;
}

test(
  '100,000 hostile inputs are each answered with INVALID_PAYLOAD, and the gateway lives on as it was',
  async () => {
    const { pid } = stack.programs.get('gateway')!;
    const [mallory, alice, bob] = await Promise.all(['mallory', 'alice', 'bob'].map(user => connected(stack, user)));
    let answered = 0;
    let warm = Number.NaN;
    const batch = fc.array(packet.filter(isHostile), { minLength: BATCH, maxLength: BATCH, size: 'max' });
    await fc.assert(
      fc.asyncProperty(batch, async packets => {
        const answers = await answersTo(mallory!, packets);
        const others = answers.filter(({ code, details }) => code !== 'INVALID_PAYLOAD' || !Array.isArray(details));
        expect(others).toEqual([]);
        answered += answers.length;
        if (answered >= WARM_UP && Number.isNaN(warm)) warm = await memory();
      }),
      { numRuns: INPUTS / BATCH, endOnFailure: true },
    );
    expect(answered).toBe(INPUTS);
    // The heap of a process that serves moves by as much; a leak of 30 bytes an input would be more.
    expect((await memory()) - warm).toBeLessThan(MOST_GROWTH);

    expect(stack.programs.get('gateway')!.pid).toBe(pid);
    const received = next(bob!, 'message:received');
    const message = await send(alice!, 'bob');
    expect(await received).toEqual(message);
    const stored = await databaseOf(stack).query('select sender_id from message');
    expect(stored.rows).toEqual([{ sender_id: 'alice' }]);
  },
  HOSTILE_TIMEOUT_MS,
);
