import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type SpanContext,
} from '@opentelemetry/api';
import type { MsgHdrs } from '@nats-io/nats-core';
import { headerLine } from './header-block.ts';
import { randomBytes } from './random-bytes.ts';

const tracer = trace.getTracer('rapport');

/**
 * Runs `work` in a span: a child of the one that is active, or the root of a new trace. Where
 * operations preload an OpenTelemetry SDK the spans are real; otherwise only the ids travel.
 */
export function withSpan<T>(name: string, work: () => T): T {
  const span = tracer.startSpan(name);
  if (!isSpanContextValid(span.spanContext())) {
    return context.with(trace.setSpanContext(context.active(), new MadeIds()), work);
  }
  const end = () => span.end();
  const result = context.with(trace.setSpan(context.active(), span), work);
  if (result instanceof Promise) void result.then(end, end);
  else end();
  return result;
}

const [TRACE_BYTES, SPAN_BYTES] = [16, 8];

/** Made when they are asked for: what goes in a batch travels with the ids of the batch. */
class MadeIds implements SpanContext {
  readonly traceFlags = 0;
  #traceId: string | undefined;
  #spanId: string | undefined;

  get traceId(): string {
    return (this.#traceId ??= randomBytes(TRACE_BYTES).toString('hex'));
  }

  get spanId(): string {
    return (this.#spanId ??= randomBytes(SPAN_BYTES).toString('hex'));
  }
}

/** The id of the active trace, for log lines and for the message of an `INTERNAL` error. */
export function traceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}

let latest: { context: Context; lines: string } | undefined;

/** The active trace as lines of a header block. Made once for all that a batch sends. */
export function traceLines(): string {
  const active = context.active();
  if (latest?.context !== active) {
    const lines: string[] = [];
    propagation.inject(active, lines, { set: (target, key, value) => target.push(headerLine(key, value)) });
    latest = { context: active, lines: lines.join('') };
  }
  return latest.lines;
}

/** Runs `work` in a span below the trace that the headers carry. */
export function withTraceOf<T>(carrier: MsgHdrs | undefined, name: string, work: () => T): T {
  const parent = propagation.extract(ROOT_CONTEXT, carrier, {
    get: (source, key) => (source?.has(key) ? source.get(key) : undefined),
    keys: source => source?.keys() ?? [],
  });
  return context.with(parent, () => withSpan(name, work));
}
