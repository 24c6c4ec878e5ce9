import { BROKEN_APPOINTMENTS } from './appointments.ts';
import type { BrokenProduct } from './broken-product.ts';

const HISTORY = 'e2e/history/history';
const PIPELINE = 'libs/service/src/database/pipeline.ts';
const STATEMENTS = 'messaging-service/src/message-statements.ts';
const TABLES = 'messaging-service/src/migrations/2026-11-23-messages.ts';

const NO_UNIQUE_KEY = {
  file: TABLES,
  from: `constraint message_client_id unique (sender_id, client_message_id)`,
  to: `check (true)`,
};

export const BROKEN_PRODUCTS: readonly BrokenProduct[] = [
  {
    name: 'sequence',
    what: 'messages are numbered by a PostgreSQL sequence of their conversation, and nothing is locked',
    test: HISTORY,
    edits: [
      {
        file: TABLES,
        from: `    this.addSql(\`
      create table message (`,
        to: `    this.addSql(\`
      create function make_numbers() returns trigger language plpgsql as
        $$ begin execute format('create sequence %I', 'numbers_' || new.id); return new; end $$\`);
    this.addSql('create trigger numbers after insert on conversation for each row execute function make_numbers()');
    this.addSql(\`
      create table message (`,
      },
      {
        file: STATEMENTS,
        from: `c.last_seq as "lastSeq", c.version
`,
        to: `n as "lastSeq", n as version
`,
      },
      {
        file: STATEMENTS,
        from: `             from conversation c
            where c.id = any(array(`,
        to: `             from conversation c
             cross join lateral (select nextval(format('%I', 'numbers_' || c.id))::int - 1 as n) as number
            where c.id = any(array(`,
      },
      {
        file: STATEMENTS,
        from: `            order by c.id for update`,
        to: `            order by c.id`,
      },
      { file: 'messaging-service/src/send-message.ts', from: 'const MAX_ITEMS = 512;', to: 'const MAX_ITEMS = 1;' },
    ],
    seenAs: ['numberedDensely'],
  },
  {
    name: 'early-ack',
    what: 'a message is acknowledged a tenth of a second before its transaction is committed',
    test: HISTORY,
    edits: [
      {
        file: PIPELINE,
        from: 'return writing && { ...writing, committed: statements.query(COMMIT) };',
        to: 'return writing;',
      },
      {
        file: PIPELINE,
        from: `const [{ command }] = await Promise.all([ending.committed, ending.written]);`,
        to: `await ending.written;
    isEarly = true;
    const end = (error?: unknown) => client.release(error !== undefined);
    setTimeout(() => void client.query('commit').then(() => end(), end), 100);
    const command = 'COMMIT' as string;`,
      },
      { file: PIPELINE, from: 'let broken = false;', to: 'let [broken, isEarly] = [false, false];' },
      { file: PIPELINE, from: 'client.release(broken);', to: 'if (!isEarly) client.release(broken);' },
    ],
    seenAs: ['ackedIsStored'],
  },
  {
    name: 'no-unique-key',
    what: 'nothing but a look into the table keeps a clientMessageId from being stored twice',
    test: HISTORY,
    edits: [NO_UNIQUE_KEY],
    seenAs: ['storedOnce'],
  },
  {
    name: 'no-repeats-known',
    what: 'what is sent again is stored again',
    test: HISTORY,
    edits: [
      NO_UNIQUE_KEY,
      {
        file: 'messaging-service/src/decide-messages.ts',
        from: `  if (input.clientMessageId !== undefined) {
    const key`,
        to: `  if (input.clientMessageId === 'never') {
    const key`,
      },
    ],
    seenAs: ['storedOnce'],
  },
  {
    name: 'disconnect-sockets',
    what: 'a gateway that is drained disconnects its sockets, as disconnectSockets() does',
    test: 'e2e/gateway-drained',
    edits: [{ file: 'gateway/src/drain.ts', from: 'socket.conn.close();', to: 'socket.disconnect(true);' }],
    seenAs: ['io server disconnect'],
  },
  {
    name: 'no-farewell',
    what: 'a gateway that is drained does not wait for the requests that are under way',
    test: 'e2e/gateway-drained',
    edits: [
      {
        file: 'gateway/src/drain.ts',
        from: 'while (socket.data.pending > 0 && performance.now() < deadline) await sleep(PENDING_POLL_MS);',
        to: 'void [deadline, PENDING_POLL_MS];',
      },
    ],
    seenAs: ['stored without an ack'],
  },
  {
    name: 'out-of-order',
    what: 'a gateway relays deliveries as they come',
    test: HISTORY,
    edits: [
      {
        file: 'gateway/src/in-order.ts',
        from: 'if (!isOrdered(delivery)) {',
        to: 'if (!isOrdered(delivery) || now > 0) {',
      },
    ],
    seenAs: ['deliveredInOrder'],
  },
  ...BROKEN_APPOINTMENTS,
];
