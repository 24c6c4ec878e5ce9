import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { pace } from './pace.ts';
import { connectClient, type Client } from './socket-io-client.ts';
import type { Target } from './web-socket.ts';

// A process with the well-behaved pairs, who write to each other at a fixed rate. They have a process of their own so
// that no other client's work is in what they measure.

interface Exchange {
  readonly seconds: number;
  /** Messages a second of all pairs together. */
  readonly perSecond: number;
}

interface Exchanged {
  /** From emit to ack, in milliseconds, in the order they came. */
  readonly latencies: number[];
  /** How often which code was answered instead. */
  readonly failures: Record<string, number>;
}

/** What a message says: the length of a sentence or two. */
const CONTENT = 'x'.repeat(120);

const people: { client: Client; partner: string }[] = [];

const commands = {
  async connect({ target, secret, pairs }: { target: Target; secret: string; pairs: number }): Promise<void> {
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const [me, partner] of [
        [`pair${pair}a`, `pair${pair}b`],
        [`pair${pair}b`, `pair${pair}a`],
      ] as const) {
        const token = sign({ sub: me, exp: inSeconds(3_600) }, secret);
        people.push({ client: await connectClient(target, token), partner });
      }
    }
  },
  /** They do not wait for each other: a slow answer delays no other message. */
  async exchange({ seconds, perSecond }: Exchange): Promise<Exchanged> {
    const latencies: number[] = [];
    const failures: Record<string, number> = {};
    const answers: Promise<void>[] = [];
    const send = async (index: number): Promise<void> => {
      const person = people[index % people.length];
      if (!person) return;
      const start = performance.now();
      const ack = await person.client.request('message:send', { recipientId: person.partner, content: CONTENT });
      latencies.push(performance.now() - start);
      const code = ack.error?.code;
      if (code !== undefined) failures[code] = (failures[code] ?? 0) + 1;
    };
    await pace(perSecond, seconds * perSecond, index => answers.push(send(index)));
    await Promise.all(answers);
    return { latencies, failures };
  },
};

export type PairsCommands = typeof commands;
answerParent(commands);
