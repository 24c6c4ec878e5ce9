import { RequestError, TimeoutError, type Msg } from '@nats-io/nats-core';
import {
  AppError,
  batchOf,
  buildSubject,
  ERROR_CODES,
  HEADERS,
  type Ack,
  type Actor,
  type ErrorCode,
  type GatewayActor,
  type GatewayCallInput,
  type GatewayCallName,
  type GatewayCallOutput,
  type ServiceActor,
  type ServiceInput,
  type ServiceOutput,
  type ServiceRequestName,
  type UserInput,
  type UserOutput,
  type UserRequestName,
} from '@rapport/contracts';
import { codeOfReply, partReplies } from './batch.ts';
import type { Bus } from './connect.ts';
import { headerBlock, headerLine } from './header-block.ts';
import { traceLines } from './trace.ts';

/** After `UNAVAILABLE`, when a caller may try again: about the time that a restarted service needs. */
const RETRY_AFTER_MS = 1_000;

/** A reply, left as it came so that a gateway can pass it on without parsing it. */
export interface Reply<Data> {
  readonly code: ErrorCode | 'OK';
  /** The JSON text of an `Ack<Data>`. */
  readonly text: string;
  read(): Ack<Data>;
}

/**
 * Makes a user's request to the service that answers it. A failure that the service reports is a reply.
 * @throws AppError `UNAVAILABLE` at once when nobody answers the subject, or after the request time-out
 */
export function requestForUser<N extends UserRequestName>(
  bus: Bus,
  event: N,
  body: { actor: Actor; input: UserInput<N> },
  options: { socketId?: string } = {},
): Promise<Reply<UserOutput<N>>> {
  const lines = options.socketId ? headerLine(HEADERS.socket, options.socketId) : '';
  return request(bus, buildSubject({ family: 'request', caller: 'user', name: event }), body, lines);
}

/**
 * Makes requests of users, encoded by `encodeBatchItem`, with one message. Resolves to a reply for each, in order.
 * @throws AppError `UNAVAILABLE`, as above: then none of them has a reply
 */
export async function requestBatchForUsers<N extends UserRequestName>(
  bus: Bus,
  event: N,
  bodies: readonly string[],
): Promise<Reply<UserOutput<N>>[]> {
  const subject = buildSubject({ family: 'request', caller: 'user', name: event });
  const started = performance.now();
  const told = (code: ErrorCode | 'OK'): void =>
    bus.observer.requestEnded(subject, code, (performance.now() - started) / 1_000);
  try {
    const batchSubject = buildSubject({ family: 'request', caller: 'user', name: batchOf(event) });
    const { code, message } = await ask(bus, batchSubject, `[${bodies.join(',')}]`, '');
    const replies =
      code === 'OK'
        ? partReplies(message, bodies.length).map(text => toReply<UserOutput<N>>(codeOfReply(text), text))
        : // The batch as a whole was refused.
          bodies.map(() => toReply<UserOutput<N>>(code, message.string()));
    for (const reply of replies) told(reply.code);
    return replies;
  } catch (error) {
    const failure = error instanceof AppError ? error : new AppError('INTERNAL', 'the reply makes no sense');
    for (const _ of bodies) told(failure.code);
    throw failure;
  }
}

/**
 * Makes a request as a service. A failure that the answering service reports is a reply.
 * @throws AppError `UNAVAILABLE`, as above
 */
export function requestAsService<N extends ServiceRequestName>(
  bus: Bus,
  name: N,
  body: { actor: ServiceActor; input: ServiceInput<N> },
): Promise<Reply<ServiceOutput<N>>> {
  return request(bus, buildSubject({ family: 'request', caller: 'service', name }), body, '');
}

/**
 * Makes a request as a gateway, of its own accord. A failure that the answering service reports is a reply.
 * @param options.timeoutMs how long the reply is waited for; the request time-out when left out
 * @throws AppError `UNAVAILABLE`, as above
 */
export function requestAsGateway<N extends GatewayCallName>(
  bus: Bus,
  name: N,
  body: { actor: GatewayActor; input: GatewayCallInput<N> },
  options: { timeoutMs?: number } = {},
): Promise<Reply<GatewayCallOutput<N>>> {
  const subject = buildSubject({ family: 'request', caller: 'gateway', name });
  return request(bus, subject, body, '', options.timeoutMs);
}

async function request<Data>(
  bus: Bus,
  subject: string,
  body: object,
  lines: string,
  timeoutMs?: number,
): Promise<Reply<Data>> {
  const { code, message } = await ask(bus, subject, JSON.stringify(body), lines, timeoutMs);
  return toReply(code, message.string());
}

function toReply<Data>(code: ErrorCode | 'OK', text: string): Reply<Data> {
  return { code, text, read: () => JSON.parse(text) as Ack<Data> };
}

/** @throws AppError `UNAVAILABLE` */
async function ask(
  bus: Bus,
  subject: string,
  text: string,
  lines: string,
  timeoutMs = bus.requestTimeoutMs,
): Promise<{ code: ErrorCode | 'OK'; message: Msg }> {
  const headers = headerBlock(traceLines() + lines);
  const started = performance.now();
  let code: ErrorCode | 'OK' = 'INTERNAL';
  try {
    const message = await bus.connection.request(subject, text, { timeout: timeoutMs, headers });
    code = codeOf(message);
    return { code, message };
  } catch (error) {
    const unavailable = toUnavailable(error);
    code = unavailable.code;
    throw unavailable;
  } finally {
    bus.observer.requestEnded(subject, code, (performance.now() - started) / 1_000);
  }
}

function codeOf(message: Msg): ErrorCode | 'OK' {
  if (!message.headers?.has(HEADERS.errorCode)) return 'OK';
  const code = message.headers.get(HEADERS.errorCode);
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL';
}

function toUnavailable(error: unknown): AppError {
  const reason =
    error instanceof RequestError && error.isNoResponders()
      ? 'no service answers this request at the moment'
      : error instanceof TimeoutError || error instanceof RequestError
        ? 'the service did not answer in time'
        : 'the service cannot be reached';
  return new AppError('UNAVAILABLE', reason, { retryAfterMs: RETRY_AFTER_MS, cause: error });
}
