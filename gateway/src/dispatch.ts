import {
  encodeBatchItem,
  requestBatchForUsers,
  requestForUser,
  traceId,
  withSpan,
  type Bus,
  type Reply,
} from '@rapport/bus';
import {
  AppError,
  BATCH_LIMITS,
  gatewayRequests,
  invalidPayload,
  isBatched,
  isGatewayRequest,
  isUserRequest,
  parseInput,
  userRequests,
  type Ack,
  type ErrorBody,
  type Role,
  type GatewayRequestInput,
  type GatewayRequestName,
  type GatewayRequestOutput,
  type UserInput,
  type UserRequestName,
} from '@rapport/contracts';
import type { Metrics } from '@rapport/service';
import { createBatchQueue, type BatchQueue } from '@rapport/service/batch-queue';
import type { Logger } from 'pino';
import { AuthenticationError } from './authenticate.ts';
import type { GatewaySocket } from './gateway-socket.ts';
import type { RateLimit } from './rate-limits.ts';
import { RawJson } from './raw-json.ts';
import { slowDown } from './slow-down.ts';
import type { SocketOrder } from './socket-order.ts';
import type { Typing } from './typing.ts';

export type Dispatch = (socket: GatewaySocket, event: string, args: readonly unknown[]) => void;

interface DispatchOptions {
  bus: Bus;
  log: Logger;
  metrics: Metrics;
  limit: RateLimit;
  typing: Typing;
  order: SocketOrder;
  /** One use case for each event that the gateway answers itself. */
  own: OwnHandlers;
}

type OwnHandlers = {
  readonly [N in GatewayRequestName]: (
    socket: GatewaySocket,
    input: GatewayRequestInput<N>,
  ) => Promise<GatewayRequestOutput<N>>;
};
type OwnHandler = (socket: GatewaySocket, input: unknown) => Promise<unknown>;

/**
 * Few, so that they are large: with eight a message cost a tenth more, with several gateways a sixth. One alone would
 * have every message wait for those before it.
 */
const MAX_BATCHES = 3;
/** Of one user in a batch: more than anybody writes by hand while the one before is under way. */
const MAX_OF_USER = 16;
/** What a client needs to be on another gateway. */
const RETRY_AFTER_MS = 1_000;

type AckCallback = (ack: unknown) => void;

/** What goes back to the client: an ack of our own, or a service's reply. */
type Answer = { readonly ack: Ack<unknown> } | Reply<unknown>;

/** Turns a client's event into a request to the service that the table names, and the reply into the ack. */
export function createDispatch({ bus, log, metrics, limit, typing, order, own }: DispatchOptions): Dispatch {
  const queues = new Map<UserRequestName, BatchQueue<string, Reply<unknown>>>();
  const queueOf = (event: UserRequestName): BatchQueue<string, Reply<unknown>> => {
    const known =
      queues.get(event) ??
      createBatchQueue({
        run: async (bodies: readonly string[]) =>
          (await requestBatchForUsers(bus, event, bodies)).map(result => ({ result })),
        maxBatches: MAX_BATCHES,
        maxPerKey: MAX_OF_USER,
        maxItems: BATCH_LIMITS.items,
        maxBytes: BATCH_LIMITS.bytes,
      });
    queues.set(event, known);
    return known;
  };

  metrics.gauge('rapport_requests_waiting', 'Requests that wait for the ones before them, or are under way.', () =>
    [...queues.values()].reduce((sum, { size }) => sum + size, 0),
  );

  const send = <N extends UserRequestName>(
    socket: GatewaySocket,
    event: N,
    input: UserInput<N>,
  ): Promise<Reply<unknown>> => {
    const { actor } = socket.data.identity;
    if (isBatched(event)) {
      const body = encodeBatchItem({ actor, input, socketId: socket.id });
      const add = () => queueOf(event).add(body, [actor.userId], Buffer.byteLength(body));
      return userRequests[event].ordered ? order.inOrder(socket.id, add) : add();
    }
    const ask = () => requestForUser(bus, event, { actor, input }, { socketId: socket.id });
    return userRequests[event].ordered ? order.alone(socket.id, ask) : ask();
  };

  const noteTyping = (socket: GatewaySocket, input: UserInput<'message:typing'>): void => {
    typing.note(socket.id, socket.data.identity.actor, input);
    // It went before the answer came: nobody else will say that it has stopped.
    if (!socket.connected) typing.leave(socket.id);
  };

  const askService = (socket: GatewaySocket, event: UserRequestName, given: unknown): Promise<Reply<unknown>> => {
    const row = userRequests[event];
    const roles: readonly Role[] = row.roles;
    if (!roles.includes(socket.data.identity.actor.role)) {
      throw new AppError('UNAUTHORIZED', 'your role may not do this');
    }
    const input = parseInput(row.input, given);
    const asked = send(socket, event, input);
    if (event !== 'message:typing') return asked;
    return asked.then(replied => {
      if (replied.code === 'OK') noteTyping(socket, input as UserInput<'message:typing'>);
      return replied;
    });
  };

  /** Throws at once, or its promise rejects: for a message every promise on its way counts. */
  const answer = (socket: GatewaySocket, event: string, input: unknown): Promise<Answer> => {
    if (socket.data.leaving) {
      throw new AppError('UNAVAILABLE', 'this gateway is stopping', { retryAfterMs: RETRY_AFTER_MS });
    }
    if (isUserRequest(event)) return askService(socket, event, input);
    if (isGatewayRequest(event)) {
      // The compiler knows that name and input belong together, but not through a name that it does not know.
      const handler = own[event] as OwnHandler;
      const parsed: unknown = parseInput(gatewayRequests[event].input, input);
      return handler(socket, parsed).then(data => ({ ack: { ok: true, data } }));
    }
    throw invalidPayload({ path: 'event', message: 'must be an event of the API' });
  };

  const serve = async (
    socket: GatewaySocket,
    event: string,
    input: unknown,
    ackCallback: AckCallback | undefined,
  ): Promise<void> => {
    socket.data.pending += 1;
    let result: Answer;
    try {
      result = await answer(socket, event, input);
    } catch (error) {
      result = { ack: { ok: false, error: toErrorBody(error, event, log) } };
    }
    socket.data.pending -= 1;
    reply(socket, event, ackCallback, result);
  };

  return (socket, event, args) => {
    const ackCallback = args.findLast((arg): arg is AckCallback => typeof arg === 'function');
    // Before anything else is done for it: a flood must cost its sender more than the gateway.
    const retryAfterMs = limit.tryTake(socket.data.identity.actor.userId);
    if (retryAfterMs === undefined) {
      const input = typeof args[0] === 'function' ? undefined : args[0];
      void withSpan(event, () => serve(socket, event, input, ackCallback));
      return;
    }
    slowDown(socket, retryAfterMs);
    const error = { code: 'RATE_LIMITED', message: 'too many events', retryAfterMs } as const;
    reply(socket, event, ackCallback, { ack: { ok: false, error } });
  };
}

function reply(socket: GatewaySocket, event: string, ackCallback: AckCallback | undefined, answer: Answer): void {
  if (ackCallback) {
    ackCallback('text' in answer ? new RawJson(answer.text) : answer.ack);
    return;
  }
  if ('text' in answer && answer.code === 'OK') return;
  const ack = 'text' in answer ? answer.read() : answer.ack;
  if (!ack.ok) socket.emit('error', { ...ack.error, event });
}

function toErrorBody(error: unknown, event: string, log: Logger): ErrorBody {
  if (error instanceof AppError) return error.toBody();
  if (error instanceof AuthenticationError) {
    return new AppError('AUTHENTICATION_FAILED', 'the token was refused', {
      details: [{ path: 'token', message: error.reason }],
    }).toBody();
  }
  log.error({ event, err: error }, 'an event failed');
  return new AppError('INTERNAL', `request ${traceId() ?? 'unknown'}`).toBody();
}
