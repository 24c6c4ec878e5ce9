import { Svcm, type Service, type ServiceMsg } from '@nats-io/services';
import {
  Actor,
  AppError,
  BATCH_LIMITS,
  batchOf,
  buildSubject,
  ERROR_CODES,
  GatewayActor,
  gatewayCalls,
  HEADERS,
  invalidPayload,
  isBatched,
  parseInput,
  ServiceActor,
  serviceRequests,
  userRequests,
  type ErrorCode,
  type GatewayCallInput,
  type GatewayCallName,
  type GatewayCallOutput,
  type ServiceInput,
  type ServiceName,
  type ServiceOutput,
  type ServiceRequestName,
  type UserInput,
  type UserOutput,
  type UserRequestName,
} from '@rapport/contracts';
import { joinReplies } from './batch.ts';
import type { Bus } from './connect.ts';
import { textOf, type Encoded } from './encoded.ts';
import { answeringInboxesOnly } from './inboxes-only.ts';
import { headerLine } from './header-block.ts';
import { fieldOf, parseBody } from './request-body.ts';
import { send } from './send.ts';
import { traceId, traceLines, withTraceOf } from './trace.ts';

export interface UserRequest<N extends UserRequestName> {
  readonly actor: Actor;
  readonly input: UserInput<N>;
  /** The socket that the request came from. */
  readonly socketId: string | undefined;
}

export interface ServiceRequest<N extends ServiceRequestName> {
  readonly actor: ServiceActor;
  readonly input: ServiceInput<N>;
}

export interface GatewayCall<N extends GatewayCallName> {
  readonly actor: GatewayActor;
  readonly input: GatewayCallInput<N>;
}

type GatewayHandlers<S extends ServiceName> = {
  [N in GatewayCallName as (typeof gatewayCalls)[N]['answeredBy'] extends S ? N : never]: (
    request: GatewayCall<N>,
  ) => Promise<GatewayCallOutput<N>>;
};

/** One use case for every row of the table that this service answers; a missing one does not compile. */
export type Handlers<S extends ServiceName> = HandlersOfOthers<S> &
  (keyof GatewayHandlers<S> extends never ? { readonly gateway?: never } : { readonly gateway: GatewayHandlers<S> });

interface HandlersOfOthers<S extends ServiceName> {
  readonly user: {
    [N in UserRequestName as (typeof userRequests)[N]['answeredBy'] extends S ? N : never]: (
      request: UserRequest<N>,
    ) => Promise<UserOutput<N> | Encoded<UserOutput<N>>>;
  };
  readonly service: {
    [N in ServiceRequestName as (typeof serviceRequests)[N]['answeredBy'] extends S ? N : never]: (
      request: ServiceRequest<N>,
    ) => Promise<ServiceOutput<N>>;
  };
}

/** Requests a process works on at once; the next one is told to come back. Bounds memory: 4,000 × 64 KiB. */
const MAX_IN_FLIGHT = 4_000;
const RETRY_AFTER_MS = 250;

interface Answering {
  /** Stops taking requests, then waits until those under way are answered. */
  stop(): Promise<void>;
}

/**
 * Answers the requests of users, of services and of gateways, as a service of the NATS services API (`nats micro ls`, `info`,
 * `stats`) in a queue group named after the service. What a handler throws becomes the reply, never more.
 */
export async function answerRequests<S extends ServiceName>(
  bus: Bus,
  service: S,
  about: { version: string; description: string },
  handlers: Handlers<S>,
): Promise<Answering> {
  const codes = new Map<string, Record<string, number>>();
  const micro = await new Svcm(answeringInboxesOnly(bus)).add({
    name: service,
    ...about,
    queue: service,
    // The library counts an endpoint's requests but cannot see a failure that is reported later.
    statsHandler: endpoint => Promise.resolve({ codes: codes.get(endpoint.subject) ?? {} }),
  });
  const underWay = new Set<Promise<void>>();
  for (const endpoint of endpointsOf(bus, handlers)) {
    const counts: Record<string, number> = {};
    codes.set(endpoint.subject, counts);
    micro.addEndpoint(endpoint.name, {
      subject: endpoint.subject,
      metadata: { summary: endpoint.summary },
      handler: (error, message) => {
        if (error) return;
        const work = answer(bus, endpoint, message, underWay.size).then(code => {
          counts[code] = (counts[code] ?? 0) + 1;
          underWay.delete(work);
        });
        underWay.add(work);
      },
    });
  }
  const ending = failWhenItEnds(micro, bus);
  await bus.connection.flush();
  return {
    async stop() {
      ending.expected = true;
      await micro.stop();
      await Promise.all(underWay);
    },
  };
}

/** One subject that is answered. */
interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly summary: string;
  /** The event or request, for traces. */
  readonly span: string;
  /** Checks the message and does what it asks for. @throws AppError */
  handle(message: ServiceMsg): Promise<ReplyText>;
}

interface ReplyText {
  readonly text: string;
  /** Of a batch: how long each reply in it is. */
  readonly lengths?: string;
}

// The compiler knows that name and handler belong together, but not through `Object.entries`.
type UserHandler = (request: UserRequest<UserRequestName>) => Promise<unknown>;
type ServiceHandler = (request: ServiceRequest<ServiceRequestName>) => Promise<unknown>;
type GatewayHandler = (request: GatewayCall<GatewayCallName>) => Promise<unknown>;

function endpointsOf<S extends ServiceName>(bus: Bus, { user, service, gateway }: Handlers<S>): Endpoint[] {
  return [
    ...(Object.entries(user) as [UserRequestName, UserHandler][]).flatMap(([event, handler]) => [
      userEndpoint(event, handler),
      ...(isBatched(event) ? [batchEndpoint(bus, event, handler)] : []),
    ]),
    ...(Object.entries(service) as [ServiceRequestName, ServiceHandler][]).map(([name, handler]): Endpoint => ({
      name: `service-${name.replace('.', '-')}`,
      subject: buildSubject({ family: 'request', caller: 'service', name }),
      summary: serviceRequests[name].summary,
      span: name,
      handle: async message => {
        const body = parseBody(message.string());
        const actor = parseInput(ServiceActor, fieldOf(body, 'actor'));
        const input = parseInput(serviceRequests[name].input, fieldOf(body, 'input'));
        return { text: success(await handler({ actor, input })) };
      },
    })),
    ...(Object.entries(gateway ?? {}) as [GatewayCallName, GatewayHandler][]).map(([name, handler]): Endpoint => ({
      name: `gateway-${name.replace('.', '-')}`,
      subject: buildSubject({ family: 'request', caller: 'gateway', name }),
      summary: gatewayCalls[name].summary,
      span: name,
      handle: async message => {
        const body = parseBody(message.string());
        const actor = parseInput(GatewayActor, fieldOf(body, 'actor'));
        const input = parseInput(gatewayCalls[name].input, fieldOf(body, 'input'));
        return { text: success(await handler({ actor, input })) };
      },
    })),
  ];
}

function userEndpoint(event: UserRequestName, handler: UserHandler): Endpoint {
  return {
    name: event.replace(':', '-'),
    subject: buildSubject({ family: 'request', caller: 'user', name: event }),
    summary: userRequests[event].summary,
    span: event,
    handle: async message => {
      const socketId = message.headers?.get(HEADERS.socket) || undefined;
      return { text: success(await handler(readRequest(event, parseBody(message.string()), socketId))) };
    },
  };
}

/** Hands the requests over in their order and all at once; each has an outcome of its own. */
function batchEndpoint(bus: Bus, event: UserRequestName, handler: UserHandler): Endpoint {
  const subject = buildSubject({ family: 'request', caller: 'user', name: event });
  const answerItem = async (body: unknown): Promise<string> => {
    const started = performance.now();
    let code: ErrorCode | 'OK' = 'OK';
    try {
      const socketId = fieldOf(body, 'socketId');
      return success(await handler(readRequest(event, body, typeof socketId === 'string' ? socketId : undefined)));
    } catch (error) {
      const shown = toShown(bus, subject, error);
      code = shown.code;
      return failureText(shown);
    } finally {
      bus.observer.answerEnded(subject, code, (performance.now() - started) / 1_000);
    }
  };
  return {
    name: batchOf(event).replace(':', '-'),
    subject: buildSubject({ family: 'request', caller: 'user', name: batchOf(event) }),
    summary: `A list of the same requests: ${userRequests[event].summary}`,
    span: batchOf(event),
    handle: async message => {
      const bodies = parseBody(message.string());
      if (!Array.isArray(bodies) || bodies.length === 0 || bodies.length > BATCH_LIMITS.items) {
        throw invalidPayload({ path: '', message: `must be a list of 1 to ${BATCH_LIMITS.items} requests` });
      }
      return joinReplies(await Promise.all(bodies.map(answerItem)));
    },
  };
}

/** @throws AppError `INVALID_PAYLOAD` */
function readRequest(event: UserRequestName, body: unknown, socketId: string | undefined) {
  return {
    actor: parseInput(Actor, fieldOf(body, 'actor')),
    input: parseInput(userRequests[event].input, fieldOf(body, 'input')),
    socketId,
  };
}

async function answer(bus: Bus, endpoint: Endpoint, message: ServiceMsg, inFlight: number): Promise<ErrorCode | 'OK'> {
  const started = performance.now();
  const code = await withTraceOf(message.headers, endpoint.span, async () => {
    try {
      if (inFlight >= MAX_IN_FLIGHT) {
        throw new AppError('UNAVAILABLE', 'the service is full', { retryAfterMs: RETRY_AFTER_MS });
      }
      const { text, lengths } = await endpoint.handle(message);
      const lines = lengths === undefined ? '' : headerLine(HEADERS.lengths, lengths);
      // Inside the try: NATS refuses a reply above `max_payload` by throwing.
      reply(bus, message, text, traceLines() + lines);
      return 'OK' as const;
    } catch (error) {
      const { code: shown, body, lines } = failure(bus, message.subject, error);
      reply(bus, message, body, lines);
      return shown;
    }
  });
  bus.observer.answerEnded(message.subject, code, (performance.now() - started) / 1_000);
  return code;
}

/** After what the handler has sent. */
function reply(bus: Bus, { reply: inbox }: ServiceMsg, text: string, lines: string): void {
  if (inbox) send(bus.connection, inbox, text, { lines });
}

function success(data: unknown): string {
  return `{"ok":true,"data":${textOf(data)}}`;
}

function failureText(error: AppError): string {
  return JSON.stringify({ ok: false, error: error.toBody() });
}

/** What a caller may see of what was thrown. */
function toShown(bus: Bus, subject: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  bus.observer.log.error({ subject, err: error }, 'a request failed');
  return new AppError('INTERNAL', `request ${traceId() ?? 'unknown'}`);
}

function failure(bus: Bus, subject: string, error: unknown): { code: ErrorCode; body: string; lines: string } {
  const shown = toShown(bus, subject, error);
  const number = String(ERROR_CODES[shown.code]);
  const lines = [traceLines(), headerLine(HEADERS.errorCode, shown.code), headerLine(HEADERS.errorNumber, number)];
  return { code: shown.code, body: failureText(shown), lines: lines.join('') };
}

/** The library stops a whole service when one of its subscriptions ends; without it the process is of no use. */
function failWhenItEnds(micro: Service, bus: Bus): { expected: boolean } {
  const ending = { expected: false };
  void micro.stopped.then(error => {
    if (!ending.expected && !bus.connection.isDraining() && !bus.connection.isClosed()) {
      bus.observer.fatal(error ?? new Error('the service endpoints stopped'));
    }
  });
  return ending;
}
