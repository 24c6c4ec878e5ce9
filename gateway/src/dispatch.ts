import { requestForUser, traceId, withSpan, type Bus } from '@rapport/bus';
import {
  AppError,
  invalidPayload,
  isUserRequest,
  parseInput,
  userRequests,
  type Actor,
  type ErrorBody,
} from '@rapport/contracts';
import type { Logger } from 'pino';
import type { Lanes } from './lanes.ts';
import { RawJson } from './raw-json.ts';

/** What a dispatched event needs of the socket it came from. */
interface Caller {
  readonly socketId: string;
  readonly actor: Actor;
  /** Sends the `error` event. */
  fail(error: ErrorBody & { event: string }): void;
}

export type Dispatch = (caller: Caller, event: string, args: readonly unknown[]) => Promise<void>;

/** What a client needs to be on another gateway. */
const RETRY_AFTER_MS = 1_000;

type AckCallback = (ack: unknown) => void;

/** Turns a client's event into a request to the service that the table names, and the reply into the ack. */
export function createDispatch(bus: Bus, lanes: Lanes, log: Logger, stopping: AbortSignal): Dispatch {
  const request = async (caller: Caller, event: string, input: unknown): Promise<{ failed: boolean; text: string }> => {
    if (!isUserRequest(event)) {
      throw invalidPayload({ path: 'event', message: 'must be an event of the API' });
    }
    // Another gateway takes it; as long as this one took more, it would never be done.
    if (stopping.aborted) {
      throw new AppError('UNAVAILABLE', 'this gateway is stopping', { retryAfterMs: RETRY_AFTER_MS });
    }
    const row = userRequests[event];
    if (!row.roles.includes(caller.actor.role)) throw new AppError('UNAUTHORIZED', 'your role may not do this');
    const body = { actor: caller.actor, input: parseInput(row.input, input) };
    const send = () => requestForUser(bus, event, body as never, { socketId: caller.socketId });
    const reply = await (row.ordered ? lanes.run(caller.socketId, send) : send());
    return { failed: reply.code !== 'OK', text: reply.text };
  };

  return (caller, event, args) =>
    withSpan(event, async () => {
      const last = args.at(-1);
      const ack = typeof last === 'function' ? (last as AckCallback) : undefined;
      try {
        const { failed, text } = await request(caller, event, args[0] === last && ack ? undefined : args[0]);
        if (ack) ack(new RawJson(text));
        else if (failed) caller.fail({ ...(JSON.parse(text) as { error: ErrorBody }).error, event });
      } catch (error) {
        const body = toErrorBody(error, event, log);
        if (ack) ack({ ok: false, error: body });
        else caller.fail({ ...body, event });
      }
    });
}

function toErrorBody(error: unknown, event: string, log: Logger): ErrorBody {
  if (error instanceof AppError) return error.toBody();
  log.error({ event, err: error }, 'an event failed');
  return new AppError('INTERNAL', `request ${traceId() ?? 'unknown'}`).toBody();
}
