import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { connectClient, type Client } from './socket-io-client.ts';
import type { Target } from './web-socket.ts';

// A process with a crowd of clients that connect, stay, and count what they receive.

interface Gathering {
  readonly target: Target;
  readonly secret: string;
  /** Users are `<prefix><first>` and the `count - 1` after it, one socket each. */
  readonly prefix: string;
  readonly first: number;
  readonly count: number;
  /** How many are on their way at once. */
  readonly atOnce: number;
}

const DELIVERY = '["message:received"';

const crowd = new Set<Client>();
let delivered = 0;
let lost = 0;

const commands = {
  /** Connects the clients, and resolves to the seconds that it took. */
  async gather({ target, secret, prefix, first, count, atOnce }: Gathering): Promise<number> {
    const exp = inSeconds(3_600);
    const tokens = Array.from({ length: count }, (_, index) => sign({ sub: `${prefix}${first + index}`, exp }, secret));
    const connectNext = async (): Promise<void> => {
      for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) crowd.add(await join(target, token));
    };
    const start = performance.now();
    await Promise.all(Array.from({ length: atOnce }, connectNext));
    return (performance.now() - start) / 1_000;
  },
  state: () => ({ connected: crowd.size, delivered, lost }),
  leave(): void {
    for (const client of crowd) client.close();
    crowd.clear();
  },
};

async function join(target: Target, token: string): Promise<Client> {
  const client = await connectClient(target, token, {
    event: text => {
      if (text.startsWith(DELIVERY)) delivered += 1;
    },
    close: () => {
      if (crowd.delete(client)) lost += 1;
    },
  });
  return client;
}

export type CrowdCommands = typeof commands;
answerParent(commands);
