import { ClosedConnectionError, DrainingConnectionError, type NatsConnection } from '@nats-io/nats-core';
import type { NatsConnectionImpl } from '@nats-io/nats-core/internal';
import { START } from './header-block.ts';

interface Sending {
  /** Where an answer is expected. */
  readonly reply?: string;
  /** Lines of headers, as `headerLine` makes them. */
  readonly lines?: string;
}

/** What was sent in this turn of the event loop, as it goes to the server. */
interface Waiting {
  text: string;
  messages: number;
}

/** Characters. More than this leaves at once, so that the server has something to do meanwhile. */
const MOST_WAITING = 65_536;

const waiting = new WeakMap<NatsConnection, Waiting>();

/**
 * Publishes a message. What is sent in one turn of the event loop is encoded as one: for each message by itself the
 * library makes arrays of bytes for its command, headers and body, which costs more than all else that a batch is sent for.
 * @param subject without spaces, as `buildSubject` makes it, or an inbox
 * @throws RangeError when it is larger than NATS takes; ClosedConnectionError, DrainingConnectionError
 */
export function send(
  connection: NatsConnection,
  subject: string,
  body: string,
  { reply, lines = '' }: Sending = {},
): void {
  const { protocol } = connection as NatsConnectionImpl;
  if (connection.isClosed()) throw new ClosedConnectionError();
  if (protocol.noMorePublishing) throw new DrainingConnectionError();
  const head = lines && `${START}${lines}\r\n`;
  const headBytes = Buffer.byteLength(head);
  const bytes = headBytes + Buffer.byteLength(body);
  const most = connection.info?.max_payload ?? Infinity;
  if (bytes > most) throw new RangeError(`a message of ${bytes} bytes, where NATS takes ${most}`);
  const to = reply === undefined ? subject : `${subject} ${reply}`;
  const command = head ? `HPUB ${to} ${headBytes} ${bytes}` : `PUB ${to} ${bytes}`;

  const now = waiting.get(connection) ?? { text: '', messages: 0 };
  if (now.messages === 0) {
    waiting.set(connection, now);
    queueMicrotask(() => sendWaiting(connection, now));
  }
  now.text += `${command}\r\n${head}${body}\r\n`;
  now.messages += 1;
  if (now.text.length > MOST_WAITING) sendWaiting(connection, now);
}

/** Hands over what waits for the end of this turn: what the library is told to do next, it then does after that. */
export function sendNow(connection: NatsConnection): void {
  const now = waiting.get(connection);
  if (now) sendWaiting(connection, now);
}

function sendWaiting(connection: NatsConnection, now: Waiting): void {
  if (now.messages === 0) return;
  const { protocol } = connection as NatsConnectionImpl;
  const bytes = Buffer.from(now.text);
  protocol.outMsgs += now.messages;
  protocol.outBytes += bytes.length;
  now.text = '';
  now.messages = 0;
  protocol.sendCommand(bytes);
}
