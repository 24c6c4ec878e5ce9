/** A way in which the product could be wrong, as edits of its source. */
export interface BrokenProduct {
  readonly name: string;
  readonly what: string;
  /** The test that has to fail. */
  readonly test: string;
  /** `from` is in the file exactly once. */
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** What the test has to print: the names of the checkers that must complain, others may. */
  readonly seenAs: readonly string[];
}

const WRITE = 'messaging-service/src/write-message.ts';
const HISTORY = 'e2e/history/history';
const TABLES = 'messaging-service/src/migrations/2026-11-23-messages.ts';

export const BROKEN_PRODUCTS: readonly BrokenProduct[] = [
  {
    name: 'sequence',
    what: 'messages are numbered by a PostgreSQL sequence of each conversation, without its lock',
    test: HISTORY,
    edits: [
      {
        file: WRITE,
        from: 'where user_a = $1 and user_b = $2 for update`,',
        to: 'where user_a = $1 and user_b = $2`,',
      },
      {
        file: WRITE,
        from: `  const made = await lock();`,
        to: `  await client.query(\`select pg_advisory_xact_lock(4712)\`);
  const made = await lock();
  if (made) await client.query(\`create sequence if not exists "seq_\${made.id}"\`);`,
      },
      {
        file: WRITE,
        from: `  const row = newRow(conversation, toWrite, seal, bodyHash);`,
        to: `  const numbered = await client.query(\`select nextval('"seq_\${conversation.id}"')::int as next\`);
  const next = (numbered.rows[0] as { next: number }).next;
  const row = newRow({ ...conversation, lastSeq: next - 1, version: next - 1 }, toWrite, seal, bodyHash);`,
      },
    ],
    seenAs: ['numberedDensely'],
  },
  {
    name: 'early-ack',
    what: 'a message is acknowledged before its transaction is committed',
    test: HISTORY,
    edits: [
      {
        file: 'libs/service/src/database/connection.ts',
        from: `    await client.query('commit');
    return result;`,
        to: `    void client.query('commit').catch(() => undefined);
    return result;`,
      },
    ],
    seenAs: ['ackedIsStored'],
  },
  {
    name: 'no-unique-key',
    what: 'nothing but a look into the table keeps a clientMessageId from being stored twice',
    test: HISTORY,
    edits: [
      { file: TABLES, from: `constraint message_client_id unique (sender_id, client_message_id)`, to: `check (true)` },
    ],
    seenAs: ['storedOnce'],
  },
  {
    name: 'no-repeats-known',
    what: 'what is sent again is stored again',
    test: HISTORY,
    edits: [
      { file: TABLES, from: `constraint message_client_id unique (sender_id, client_message_id)`, to: `check (true)` },
      { file: WRITE, from: `  if (input.clientMessageId) {`, to: `  if (input.clientMessageId === 'never') {` },
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
];
