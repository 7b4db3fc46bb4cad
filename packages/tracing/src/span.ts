import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { isTracing } from './state.ts';

export { type Span, SpanKind };

export interface SpanOptions {
  readonly kind?: SpanKind;
  /** Names, ids and numbers; never queries, headers, bodies or personal data. */
  readonly attributes?: Attributes;
  /** W3C trace context of the parent; default is the current span. */
  readonly parent?: string | null | undefined;
}

const tracer = () => trace.getTracer('enterprise-access');

const parentOf = ({ parent }: SpanOptions): Context =>
  parent ? propagation.extract(context.active(), { traceparent: parent }) : context.active();

/** Starts a span that the caller must end; `null` without tracing. */
export function startSpan(name: string, options: SpanOptions = {}): Span | null {
  if (!isTracing()) return null;
  const { kind = SpanKind.INTERNAL, attributes = {} } = options;
  return tracer().startSpan(name, { kind, attributes }, parentOf(options));
}

/** Runs `work` with the span as current span. */
export const within = <T>(span: Span | null, work: () => T): T =>
  span === null ? work() : context.with(trace.setSpan(context.active(), span), work);

/** Marks the span as failed, with the kind of error only: messages can contain personal data. */
export function fail(span: Span | null, error?: unknown): void {
  span?.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'Error' });
}

/** Runs `work` in a new span, or without one if tracing is off. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span | null) => Promise<T>,
): Promise<T> {
  const span = startSpan(name, options);
  if (span === null) return work(null);
  try {
    return await within(span, () => work(span));
  } catch (error) {
    fail(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** W3C trace context of a span, default the current one, to propagate it; `null` without tracing. */
export function traceparent(span?: Span | null): string | null {
  if (!isTracing()) return null;
  const carrier: Record<string, string> = {};
  propagation.inject(span ? trace.setSpan(context.active(), span) : context.active(), carrier);
  return carrier.traceparent ?? null;
}

/** Id of the current trace, for log lines. */
export const currentTraceId = (): string | undefined => trace.getSpanContext(context.active())?.traceId;
