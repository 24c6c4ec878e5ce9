import { traceId } from '@rapport/bus';
import {
  Actor,
  deliveries,
  gatewayRequests,
  healthDataFields,
  serviceRequests,
  userRequests,
} from '@rapport/contracts';
import { pino, type DestinationStream, type Logger } from 'pino';

const REDACTED = '[redacted]';
/** Nothing of ours is nested deeper; what is may go round in a circle. */
const MAX_DEPTH = 8;

/** Every field that the contracts mark as health data, wherever in a log line it turns up. */
function redactedFields(): ReadonlySet<string> {
  const schemas = [
    Actor,
    ...Object.values({ ...userRequests, ...gatewayRequests, ...serviceRequests }).flatMap(row => [
      row.input,
      row.output,
    ]),
    ...Object.values(deliveries).map(row => row.payload),
  ];
  return new Set(schemas.flatMap(schema => [...healthDataFields(schema)]));
}

/** JSON lines on standard output, with the active trace, and without what the contracts mark as health data. */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const marked = redactedFields();
  return pino(
    {
      level,
      base: { process: name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: label => ({ level: label }),
        log: fields => ({ ...redact(fields, marked), ...('err' in fields && { err: describeError(fields['err']) }) }),
      },
      // pino's own would read the description as an error once more.
      serializers: { err: (description: unknown) => description },
      mixin: () => ({ trace: traceId() }),
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

// pino's own `redact` changes the object that was logged where its paths overlap (`attachment` and
// `*.name`), and has no path for "at any depth".
function redact(fields: object, marked: ReadonlySet<string>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      marked.has(field) ? REDACTED : redactValue(value, marked, depth + 1),
    ]),
  );
}

function redactValue(value: unknown, marked: ReadonlySet<string>, depth: number): unknown {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (value instanceof Error) return describeError(value);
  if (depth > MAX_DEPTH) return REDACTED;
  if (Array.isArray(value)) return value.map(item => redactValue(item, marked, depth + 1));
  return redact(value, marked, depth);
}

interface ErrorDescription {
  type: string;
  code?: unknown;
  message: string;
  stack?: string | undefined;
  cause?: ErrorDescription;
}

// Libraries hang what they worked on to their errors (`detail`, `parameters`, `query`); pino's own
// serializer would copy all of it.
function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is not an Error was thrown' };
  return {
    type: error.name,
    ...('code' in error && { code: error.code }),
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
