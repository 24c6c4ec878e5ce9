import { setTimeout as sleep } from 'node:timers/promises';
import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { percentile } from '../measure/statistics.ts';
import { connectClient, requestPacket, type Client } from './socket-io-client.ts';
import type { Target } from './web-socket.ts';

// A process with pairs who write to each other as fast as they are answered: each person has a number of messages
// under way, and sends the next one when one of them is acknowledged.

interface Connecting {
  /** The two of a pair are at different ones, where there is more than one. */
  readonly targets: readonly Target[];
  readonly secret: string;
  /** Pairs are numbered from `first`. */
  readonly first: number;
  readonly pairs: number;
}

interface Talking {
  /** Messages of each person that are not acknowledged yet. */
  readonly inFlight: number;
  readonly contentCharacters: number;
  /** Whether every person tells what they have read. */
  readonly receipts: boolean;
}

export interface Talked {
  readonly seconds: number;
  readonly acked: number;
  readonly delivered: number;
  /** Read receipts that were acknowledged. */
  readonly receipts: number;
  /** From emit to ack, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** How often which code was answered instead. */
  readonly failures: Record<string, number>;
}

interface Person {
  readonly client: Client;
  readonly partner: string;
  readonly prefix: string;
  /** When each message was sent, by the number of its request. */
  readonly sentAt: Map<number, number>;
  lastRequest: number;
  /** The latest message they received, until they have said that they read it. */
  unread: string | undefined;
  isTelling: boolean;
}

const RECEIVED = '["message:received",{"id":"';
const ID_LENGTH = 36;
const SUCCESS = '[{"ok":true';
const DRAIN_POLL_MS = 10;
const DRAIN_MS = 10_000;
/** What is refused is tried again: a busy loop of refusals would measure nothing. */
const AFTER_FAILURE_MS = 50;

const people: Person[] = [];
let talking: Talking | undefined;
let content = '';
let since = 0;
let delivered = 0;
let receipts = 0;
let latencies: number[] = [];
let failures: Record<string, number> = {};

function say(person: Person): void {
  if (!talking) return;
  const id = (person.lastRequest += 1);
  person.sentAt.set(id, performance.now());
  const input = { recipientId: person.partner, content, clientMessageId: `${person.prefix}-${id}` };
  person.client.webSocket.sendText(requestPacket(id, 'message:send', input));
}

function onAnswer(person: Person, text: string, id: number): void {
  const sentAt = person.sentAt.get(id);
  if (sentAt === undefined) return;
  person.sentAt.delete(id);
  if (text.startsWith(SUCCESS)) {
    latencies.push(performance.now() - sentAt);
    say(person);
    return;
  }
  countFailure(text);
  setTimeout(() => say(person), AFTER_FAILURE_MS);
}

function countFailure(text: string): void {
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? 'none';
  failures[code] = (failures[code] ?? 0) + 1;
}

function onEvent(person: Person, text: string): void {
  if (!text.startsWith(RECEIVED)) return;
  delivered += 1;
  if (!talking?.receipts) return;
  person.unread = text.slice(RECEIVED.length, RECEIVED.length + ID_LENGTH);
  void tellRead(person);
}

/** One at a time, about the latest, as a client does that does not want to flood. */
async function tellRead(person: Person): Promise<void> {
  if (person.isTelling) return;
  person.isTelling = true;
  while (person.unread !== undefined) {
    const messageId = person.unread;
    person.unread = undefined;
    const ack = await person.client.request('message:read', { messageId });
    if (ack.ok) receipts += 1;
    else countFailure(JSON.stringify(ack));
  }
  person.isTelling = false;
}

async function join(target: Target, token: string, partner: string, prefix: string): Promise<void> {
  // `session:ready` may come before there is a person to hear it.
  const here: { person?: Person } = {};
  const client = await connectClient(target, token, {
    event: text => here.person && onEvent(here.person, text),
    answer: (text, id) => here.person && onAnswer(here.person, text, id),
  });
  const nothingYet = { sentAt: new Map(), lastRequest: 0, unread: undefined, isTelling: false };
  here.person = { client, partner, prefix, ...nothingYet };
  people.push(here.person);
}

const commands = {
  async connect({ targets, secret, first, pairs }: Connecting): Promise<void> {
    const run = Date.now().toString(36);
    const exp = inSeconds(3_600);
    for (let pair = first; pair < first + pairs; pair += 1) {
      const [client, therapist] = [`pair${pair}a`, `pair${pair}b`];
      const [here, there] = [targets[pair % targets.length], targets[(pair + 1) % targets.length]];
      if (!here || !there) throw new RangeError('the server listens nowhere');
      await join(here, sign({ sub: client, exp }, secret), therapist, run);
      await join(there, sign({ sub: therapist, role: 'therapist', exp }, secret), client, run);
    }
  },
  talk(options: Talking): void {
    talking = options;
    content = 'x'.repeat(options.contentCharacters);
    for (const person of people) for (let count = 0; count < options.inFlight; count += 1) say(person);
  },
  /** Begins to count. */
  mark(): void {
    since = performance.now();
    [delivered, receipts, latencies, failures] = [0, 0, [], {}];
  },
  /** What was counted since then. */
  count(): Talked {
    return {
      seconds: (performance.now() - since) / 1_000,
      acked: latencies.length,
      delivered,
      receipts,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      failures,
    };
  },
  /** Says nothing more, and waits for what is under way. */
  async hush(): Promise<void> {
    talking = undefined;
    const deadline = performance.now() + DRAIN_MS;
    while (people.some(({ sentAt }) => sentAt.size > 0) && performance.now() < deadline) {
      await sleep(DRAIN_POLL_MS);
    }
  },
  leave(): void {
    for (const { client } of people.splice(0)) client.close();
  },
};

export type TalkCommands = typeof commands;
answerParent(commands);
