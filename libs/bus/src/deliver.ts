import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Msg } from '@nats-io/nats-core';
import {
  ANY_NAME,
  buildSubject,
  deliveries,
  HEADERS,
  readSubject,
  toSocketEvent,
  type DeliveryName,
  type DeliveryPayload,
  type Recipient,
} from '@rapport/contracts';
import type { Bus } from './connect.ts';
import { Encoded, textOf } from './encoded.ts';
import { headerLine, headerOf, headersOf } from './header-block.ts';
import { send } from './send.ts';
import { traceLines } from './trace.ts';

/** Sends an event to every socket of the recipient, on whichever gateways they are. Fire and forget. */
export function deliver<N extends DeliveryName>(
  bus: Bus,
  to: Recipient,
  event: N,
  payload: DeliveryPayload<N> | Encoded<DeliveryPayload<N>>,
  options: { except?: string | undefined } = {},
): void {
  const order = orderOf(payload instanceof Encoded ? payload.value : payload);
  let lines = traceLines();
  if (options.except) lines += headerLine(HEADERS.except, options.except);
  if (order !== undefined) lines += headerLine(HEADERS.order, order);
  const subject = buildSubject({ family: 'delivery', to, name: event });
  send(bus.connection, subject, textOf(payload), { lines });
}

/** What says from which version of a conversation to which it leads says so in a header: nobody parses it for that. */
function orderOf(payload: object): string | undefined {
  const { conversationId, version, previousVersion } = payload as Record<string, unknown>;
  if (typeof version !== 'number' || typeof previousVersion !== 'number') return undefined;
  return typeof conversationId === 'string' ? `${conversationId} ${previousVersion} ${version}` : undefined;
}

/** The place of a delivery in a line of which the recipient gets every one. */
export interface Order {
  /** The conversation. */
  readonly line: string;
  readonly from: number;
  readonly to: number;
}

function readOrder(header: string | undefined): Order | undefined {
  if (header === undefined) return undefined;
  const [, line, from, to] = /^(\S+) (\d+) (\d+)$/.exec(header) ?? [];
  return line === undefined ? undefined : { line, from: Number(from), to: Number(to) };
}

export interface Delivery {
  /** As a socket knows it: `message:received`. */
  readonly event: string;
  /** The JSON text of the payload, as the service published it. Read when it is asked for: many are for nobody here. */
  readonly text: string;
  /** The id of a socket to leave out, or the room of several. */
  readonly except: string | undefined;
  readonly order: Order | undefined;
}

/** The delivery without the message it came in: that holds on to all that NATS sent with it, up to 64 KB. */
export function kept<D extends Delivery>(delivery: D): D {
  return { ...delivery, text: delivery.text };
}

export interface Listening {
  /**
   * Resolves when the server has the subscription: from then on nothing is missed. Rejects when the connection
   * breaks before that; asked again, it waits for the server that the subscription has come back to.
   */
  established(): Promise<void>;
  stop(): void;
}

/** Listens to everything that is delivered to the recipient, until stopped. Survives reconnects. */
export function listen(bus: Bus, recipient: Recipient, receive: (delivery: Delivery) => void): Listening {
  const subscription = bus.connection.subscribe(buildSubject({ family: 'delivery', to: recipient, name: ANY_NAME }), {
    callback: (error, message) => {
      const event = error ? undefined : eventOf(message.subject);
      if (event === undefined) {
        bus.observer.setAside(error ? 'deliver' : message.subject);
        return;
      }
      try {
        receive(new ReceivedDelivery(event, message));
      } catch (failure) {
        // What is thrown from here would end the reading of the whole connection.
        bus.observer.log.error({ subject: message.subject, err: failure }, 'a delivery could not be passed on');
      }
    },
  });
  return {
    established: () => flushTogether(bus),
    stop: () => subscription.unsubscribe(),
  };
}

class ReceivedDelivery implements Delivery {
  readonly event: string;
  readonly except: string | undefined;
  readonly order: Order | undefined;
  readonly #message: Msg;

  constructor(event: string, message: Msg) {
    const headers = headersOf(message);
    this.event = event;
    this.except = headerOf(headers, HEADERS.except) || undefined;
    this.order = readOrder(headerOf(headers, HEADERS.order));
    this.#message = message;
  }

  get text(): string {
    return this.#message.string();
  }
}

const events = new Map<string, string>();

/** As a socket knows it. Subjects differ by the recipient; of what comes after that there are as many as rows. */
function eventOf(subject: string): string | undefined {
  const name = subject.slice(subject.lastIndexOf('.', subject.lastIndexOf('.') - 1) + 1);
  const known = events.get(name);
  if (known !== undefined) return known;
  const read = readSubject(subject);
  if (!read) return undefined;
  const event = toSocketEvent(read.name);
  if (Object.hasOwn(deliveries, event)) events.set(name, event);
  return event;
}

const flushes = new WeakMap<Bus, Promise<void>>();

/** One round trip for all who ask in the same turn: in a storm of reconnects a handful of handshakes arrive at a time. */
function flushTogether(bus: Bus): Promise<void> {
  const shared = flushes.get(bus);
  if (shared) return shared;
  const flush = nextTurn().then(() => {
    // Whoever subscribes from here on needs the next one.
    flushes.delete(bus);
    return bus.connection.flush();
  });
  flushes.set(bus, flush);
  return flush;
}
