import { context, isSpanContextValid, propagation, ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
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
  if (!isSpanContextValid(span.spanContext())) return context.with(withIds(context.active()), work);
  const end = () => span.end();
  const result = context.with(trace.setSpan(context.active(), span), work);
  if (result instanceof Promise) void result.then(end, end);
  else end();
  return result;
}

const [TRACE_BYTES, SPAN_BYTES] = [16, 8];

function withIds(active: Context): Context {
  const ids = randomBytes(TRACE_BYTES + SPAN_BYTES).toString('hex');
  const traceLength = 2 * TRACE_BYTES;
  const made = { traceId: ids.slice(0, traceLength), spanId: ids.slice(traceLength), traceFlags: 0 };
  return trace.setSpanContext(active, made);
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
