import { createInbox, PermissionViolationError, type Msg, type NatsConnection } from '@nats-io/nats-core';
import { inboxPrefix } from '@rapport/contracts';
import type { Bus } from './connect.ts';
import { send } from './send.ts';

/** A message that the stream has not confirmed yet. */
interface Pending {
  readonly subject: string;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Publishes to a stream without waiting for one message before the next: each is confirmed by itself. */
interface Publisher {
  publish(subject: string, body: string, lines: string): Promise<void>;
}

const NO_RESPONDERS = 503;

const publishers = new WeakMap<NatsConnection, Publisher>();

/** The publisher of a connection. One inbox for all confirmations: a request for each would cost twice as much. */
export function publisherOf(bus: Bus): Publisher {
  const known = publishers.get(bus.connection) ?? createPublisher(bus);
  publishers.set(bus.connection, known);
  return known;
}

function createPublisher({ connection, as, requestTimeoutMs }: Bus): Publisher {
  // In the order of their deadlines, which is that of a map.
  const pending = new Map<string, Pending>();
  const inbox = createInbox(inboxPrefix(as));
  let last = 0;
  let timer: NodeJS.Timeout | undefined;

  const fail = (token: string, error: Error): void => {
    pending.get(token)?.reject(error);
    pending.delete(token);
  };

  const giveUp = (): void => {
    timer = undefined;
    const now = performance.now();
    for (const [token, { deadline }] of pending) {
      if (deadline > now) {
        timer = setTimeout(giveUp, deadline - now).unref();
        return;
      }
      fail(token, new Error('the stream did not confirm in time'));
    }
  };

  connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error) return;
      const token = message.subject.slice(inbox.length + 1);
      const refusal = refusalIn(message);
      if (refusal) fail(token, refusal);
      pending.get(token)?.resolve();
      pending.delete(token);
    },
  });
  void failForbidden(connection, error => {
    for (const [token, { subject }] of pending) if (subject === error.subject) fail(token, error);
  });
  void connection.closed().then(() => {
    clearTimeout(timer);
    for (const token of pending.keys()) fail(token, new Error('the connection to NATS was closed'));
  });

  return {
    publish: (subject, body, lines) =>
      new Promise((resolve, reject) => {
        last += 1;
        const token = String(last);
        send(connection, subject, body, { lines, reply: `${inbox}.${token}` });
        pending.set(token, { subject, deadline: performance.now() + requestTimeoutMs, resolve, reject });
        timer ??= setTimeout(giveUp, requestTimeoutMs).unref();
      }),
  };
}

/** Why the stream did not store a message, if it says so. */
function refusalIn(message: Msg): Error | undefined {
  if (message.headers?.code === NO_RESPONDERS) return new Error('there is no stream for this subject');
  const text = message.string();
  // A confirmation is `{"stream":"EVENTS","seq":7}`.
  if (!text.includes('"error"')) return undefined;
  const { error } = JSON.parse(text) as { error?: { description?: string } };
  return error && new Error(`the stream refused it: ${error.description ?? 'without a reason'}`);
}

async function failForbidden(
  connection: NatsConnection,
  fail: (error: PermissionViolationError) => void,
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'error' && status.error instanceof PermissionViolationError) fail(status.error);
  }
}
