import { setTimeout as sleep } from 'node:timers/promises';
import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { connectClient, type Client } from './socket-io-client.ts';
import type { Target } from './web-socket.ts';

// A process with people who connect, see who is there, and come back when their connection ends.

interface Gathering {
  readonly target: Target;
  readonly secret: string;
  /** `<prefix><first>` and the `count - 1` after it. */
  readonly prefix: string;
  readonly first: number;
  readonly count: number;
  /** How many are on their way at once. */
  readonly atOnce: number;
  /** Whether the server tells who is there: then a person has arrived when they know. */
  readonly tellsState: boolean;
}

interface Person {
  readonly userId: string;
  readonly token: string;
  client: Client | undefined;
  /** When the last connection ended, and how long it took to come back, in milliseconds. */
  lostAt: number;
  awayMs: number;
}

const STATE = '["presence:state"';
const ONLINE = '["user:online"';
const OFFLINE = '["user:offline"';
const RETRY_MS = 100;
const POLL_MS = 5;

const people: Person[] = [];
const saidOffline = new Set<string>();
const seen = { states: 0, presences: 0, online: 0, offline: 0 };
let target: Target = { host: '', port: 0 };
/** Whoever loses their connection comes back by themselves. */
let comeBack = false;

const commands = {
  /** Connects more people, and resolves to the seconds until the last of them has arrived. */
  async gather({ secret, prefix, first, count, ...gathering }: Gathering): Promise<number> {
    ({ target } = gathering);
    const exp = inSeconds(3_600);
    const more = Array.from({ length: count }, (_, index): Person => {
      const userId = `${prefix}${first + index}`;
      return { userId, token: sign({ sub: userId, exp }, secret), client: undefined, lostAt: 0, awayMs: 0 };
    });
    people.push(...more);
    return connectAll(more, gathering);
  },
  /** Everybody's connection is cut at once, and everybody comes back. Resolves to the seconds that it took. */
  async cutAndReturn(returning: Pick<Gathering, 'atOnce' | 'tellsState'>): Promise<number> {
    comeBack = false;
    const now = performance.now();
    for (const person of people) {
      person.lostAt = now;
      person.client?.close();
    }
    return connectAll(people, returning);
  },
  /** From now on whoever loses their connection comes back by themselves. */
  stay: () => void (comeBack = true),
  /** How many are connected, and all that they were told. */
  state: () => ({ connected: people.filter(({ client }) => client).length, ...seen }),
  forget(): void {
    Object.assign(seen, { states: 0, presences: 0, online: 0, offline: 0 });
    saidOffline.clear();
  },
  /** How long each was away the last time, and who was said to have gone. */
  farewells: () => ({
    awayMs: Object.fromEntries(people.map(({ userId, awayMs }) => [userId, awayMs])),
    saidOffline: [...saidOffline],
  }),
  leave(): void {
    comeBack = false;
    for (const person of people) person.client?.close();
    people.length = 0;
  },
};

async function connectAll(
  all: readonly Person[],
  { atOnce, tellsState }: Pick<Gathering, 'atOnce' | 'tellsState'>,
): Promise<number> {
  const waiting = [...all];
  const statesBefore = seen.states;
  const connectNext = async (): Promise<void> => {
    for (let person = waiting.pop(); person; person = waiting.pop()) await connect(person);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, connectNext));
  while (tellsState && seen.states - statesBefore < all.length) await sleep(POLL_MS);
  return (performance.now() - start) / 1_000;
}

async function connect(person: Person): Promise<void> {
  for (;;) {
    try {
      const client = await connectClient(target, person.token, { event: note, close: () => lose(person, client) });
      person.client = client;
      person.awayMs = performance.now() - person.lostAt;
      return;
    } catch {
      await sleep(RETRY_MS);
    }
  }
}

function lose(person: Person, client: Client): void {
  if (person.client !== client) return;
  person.client = undefined;
  if (comeBack) person.lostAt = performance.now();
  if (comeBack) void connect(person);
}

function note(text: string): void {
  if (text.startsWith(ONLINE)) seen.online += 1;
  else if (text.startsWith(OFFLINE)) {
    seen.offline += 1;
    saidOffline.add((JSON.parse(text) as [string, { userId: string }])[1].userId);
  } else if (text.startsWith(STATE)) {
    seen.states += 1;
    seen.presences += text.split('"userId"').length - 1;
  }
}

export type PeopleCommands = typeof commands;
answerParent(commands);
