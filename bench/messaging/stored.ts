import { alternate } from '../measure/alternate.ts';
import type { Findings } from '../measure/comparison.ts';
import { lookAtPages, writeConversations, type Pages } from './busy-therapist.ts';
import { inDatabase, urlOf } from './databases.ts';
import { PRODUCT_DATABASE, startProduct, type Ground } from './servers.ts';
import { talk, type Seen, type TalkOptions } from './talk.ts';
import { costOf } from './throughput.ts';

export interface StoredOptions extends TalkOptions {
  readonly runs: number;
  readonly storedMessages: number;
  readonly storedConversations: number;
}

const LARGE = 'messaging_large';
/** A page of either, which is what is looked at. */
const SMALL = { conversations: 50, longest: 50 };
const MANY = { conversations: 1_000, longest: 5_000 };

/** What it costs that there is a history: the same people talk, with and without. */
export async function measureStored(ground: Ground, options: StoredOptions): Promise<Findings> {
  await prefill(ground, options);
  const measure = async (keepData: boolean): Promise<Seen & Pages> => {
    const server = await startProduct(ground, { pairs: options.pairs, keepData });
    try {
      if (!keepData) await writeConversations(ground, urlOf(ground.postgres, PRODUCT_DATABASE), SMALL);
      return { ...(await lookAtPages(ground, server)), ...(await talk(ground, server, options)) };
    } finally {
      await server.stop();
    }
  };
  const seen = await alternate(options.runs, {
    large: async () => {
      await moveTo(ground, LARGE, PRODUCT_DATABASE);
      try {
        return await measure(true);
      } finally {
        await moveTo(ground, PRODUCT_DATABASE, LARGE);
      }
    },
    empty: () => measure(false),
  });
  const { storedMessages, storedConversations } = options;
  const large = `${storedMessages.toLocaleString('en')} messages in ${storedConversations.toLocaleString('en')} conversations`;
  return {
    comparisons: [
      {
        what: `acknowledged with ${large}`,
        unit: '/s',
        product: seen.large.map(({ ackedPerSecond }) => ackedPerSecond),
        baseline: seen.empty.map(({ ackedPerSecond }) => ackedPerSecond),
        baselineName: 'with an empty database',
        bar: { atLeast: 0.9 },
      },
      ...(['history', 'list'] as const).map(page => ({
        what: page === 'history' ? 'a page of a long history, p50' : 'a page of 1,000 conversations, p50',
        unit: 'ms',
        product: seen.large.map(each => each[page]),
        baseline: seen.empty.map(each => each[page]),
        baselineName: 'with a small database',
        bar: { atMost: 1.5 },
      })),
    ],
    costs: [costOf('large', seen.large), costOf('empty', seen.empty)],
  };
}

/** The other database is dropped when it is in the way. */
async function moveTo({ postgres }: Ground, from: string, to: string): Promise<void> {
  await inDatabase(postgres.url, async client => {
    await client.query(`drop database if exists ${to} with (force)`);
    await client.query(`alter database ${from} rename to ${to}`);
    await client.query('checkpoint');
  });
}

/** Fills a database that the product has migrated, with the pairs that talk among its conversations. */
async function prefill(ground: Ground, { storedMessages, storedConversations }: StoredOptions) {
  await (await startProduct(ground, { pairs: storedConversations })).stop();
  const each = Math.ceil(storedMessages / storedConversations);
  await inDatabase(urlOf(ground.postgres, PRODUCT_DATABASE), async client => {
    await client.query(
      `insert into conversation (id, user_a, user_b, last_seq, version, created_at, last_message_at)
       select gen_random_uuid(), 'pair' || pair || 'a', 'pair' || pair || 'b', $1, $1, now() - interval '100 days',
              now() - interval '1 day'
         from generate_series(0, $2 - 1) as pair`,
      [each, storedConversations],
    );
    // In the order of time, as they would have come; the body is as long as that of a sentence or two.
    await client.query(
      `insert into message (id, conversation_id, seq, version, sender_id, recipient_id, message_type, sealed, key_id,
                            body_hash, client_message_id, created_at)
       select uuidv7(interval '-100 days' + seq * interval '1 hour'), c.id, seq, seq,
              case when seq % 2 = 0 then user_a else user_b end, case when seq % 2 = 0 then user_b else user_a end,
              'TEXT', decode(repeat(md5(seq::text), 10), 'hex'), 'local', decode(md5(seq::text) || md5(user_a), 'hex'),
              'stored-' || seq, now() - interval '100 days' + seq * interval '1 hour'
         from generate_series(1, $1) as seq cross join conversation c`,
      [each],
    );
  });
  await writeConversations(ground, urlOf(ground.postgres, PRODUCT_DATABASE), MANY);
  await inDatabase(urlOf(ground.postgres, PRODUCT_DATABASE), client => client.query('vacuum analyze'));
  await moveTo(ground, PRODUCT_DATABASE, LARGE);
}
