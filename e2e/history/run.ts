import type { Stack } from '@rapport/local-stack';
import { storedFacts, until } from '../../libs/service/test/kit.ts';
import { databaseOf, developerOf, secret } from '../kit.ts';
import { recordedClient, type RecordedClient } from './client.ts';
import type { Evidence, Fault, StoredMessage } from './history.ts';
import { createRecorder } from './recorder.ts';

/** Five therapists with ten clients each: 50 conversations, each user in as many as in real life. */
const THERAPISTS = 5;
const CLIENTS_EACH = 10;
/** Sends of each socket that are under way at any time. */
const AT_ONCE = 5;
/** One in so many messages is sent under one key to two people at the same moment, from two gateways: one must win. */
const FORKED = 20;

interface Correspondent {
  readonly partners: readonly string[];
  /** One on each gateway, or the only one. */
  readonly clients: readonly RecordedClient[];
}

interface RunOptions {
  /** How many messages are sent, roughly: as many as divide evenly. */
  readonly messages: number;
  /** The programs that are killed with -9, one after the other, while messages flow. */
  readonly victims: readonly string[];
}

/** Sends messages both ways in 50 conversations while processes are killed, and collects all there is to know of it. */
export async function runHistory(stack: Stack, { messages, victims }: RunOptions): Promise<Evidence> {
  const recorder = createRecorder();
  const join = async (
    user: string,
    partners: readonly string[],
    gateways: readonly number[],
  ): Promise<Correspondent> => ({
    partners,
    clients: await Promise.all(gateways.map(gateway => recordedClient(stack, user, gateway, recorder))),
  });
  const people = await Promise.all(pairUp().map(({ user, partners, gateways }) => join(user, partners, gateways)));
  const forkers = await Promise.all(
    [...Array(THERAPISTS).keys()].map(index => join(`forker-${index}`, clientsOf(index), [0, 1])),
  );
  const everybody = [...people, ...forkers].flatMap(({ clients }) => clients);

  // Before anything else is under way: what waits in a queue is not at the same moment any more.
  await Promise.all(forkers.map(forker => fork(forker, Math.ceil(messages / FORKED / THERAPISTS))));
  let settled = 0;
  const each = Math.ceil(messages / people.flatMap(({ clients }) => clients).length);
  const writing = people.flatMap(person =>
    person.clients.map((_, index) => write(person, index, each, () => (settled += 1))),
  );
  const faults: Fault[] = [];
  const killing = killInTurn(
    stack,
    victims,
    index => settled >= ((index + 1) / (victims.length + 1)) * messages,
    faults,
  );
  await Promise.all([...writing, killing]);

  const database = databaseOf(stack);
  await until(async () => (await database.query('select from outbox where published_at is null')).rowCount === 0);
  const { rows } = await database.query<StoredMessage>(
    `select id, conversation_id as "conversationId", seq, sender_id as "senderId", recipient_id as "recipientId",
            client_message_id as "clientMessageId" from message`,
  );
  const facts = await storedFacts(await developerOf(stack));
  const views = await Promise.all(everybody.map(client => client.views()));
  for (const client of everybody) client.disconnect();
  return {
    history: recorder.history,
    stored: rows,
    facts: facts.flatMap(({ data }) => ('messageId' in data ? [String(data['messageId'])] : [])),
    views: views.flat(),
    faults,
  };
}

/** A therapist writes from both gateways, a client from one of them. */
function pairUp(): { user: string; partners: string[]; gateways: number[] }[] {
  return [...Array(THERAPISTS).keys()].flatMap(therapist => {
    const clients = clientsOf(therapist);
    return [
      { user: `therapist-${therapist}`, partners: clients, gateways: [0, 1] },
      ...clients.map((user, index) => ({ user, partners: [`therapist-${therapist}`], gateways: [index % 2] })),
    ];
  });
}

function clientsOf(therapist: number): string[] {
  return [...Array(CLIENTS_EACH).keys()].map(client => `client-${therapist}-${client}`);
}

/** Sends `count` messages over one of the person's clients, to all partners in turn, several at a time. */
async function write(
  { partners, clients }: Correspondent,
  index: number,
  count: number,
  settled: () => void,
): Promise<void> {
  const client = clients[index];
  if (!client) return;
  let next = 0;
  const sendNext = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      await client.send(partners[number % partners.length] ?? '', `${client.user}-${index}-${number}`, secret());
      settled();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
}

/** Sends every message from both gateways at the same moment, under one key, to two different people. */
async function fork({ partners, clients }: Correspondent, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    await Promise.all(
      clients.map((client, index) =>
        client.send(partners[(number + index) % partners.length] ?? '', `${client.user}-${number}`, secret()),
      ),
    );
  }
}

/** Each when it is due, and the one before it is back. */
async function killInTurn(
  stack: Stack,
  victims: readonly string[],
  isDue: (index: number) => boolean,
  faults: Fault[],
): Promise<void> {
  for (const [index, name] of victims.entries()) {
    await until(() => isDue(index));
    const program = stack.programs.get(name);
    if (!program) throw new RangeError(`there is no program ${name}`);
    const from = performance.now();
    program.kill('SIGKILL');
    await program.ready();
    faults.push({ name, from, to: performance.now() });
  }
}
