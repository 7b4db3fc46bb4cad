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
  /** Names, ids and numbers; never a query, a header, a body or anything personal. */
  readonly attributes?: Attributes;
  /** W3C trace context of what caused this, in place of what runs now. */
  readonly parent?: string | null | undefined;
}

const tracer = () => trace.getTracer('enterprise-access');

const parentOf = ({ parent }: SpanOptions): Context =>
  parent ? propagation.extract(context.active(), { traceparent: parent }) : context.active();

/** Begins a span that its starter ends; `null` when nothing is traced. */
export function startSpan(name: string, options: SpanOptions = {}): Span | null {
  if (!isTracing()) return null;
  const { kind = SpanKind.INTERNAL, attributes = {} } = options;
  return tracer().startSpan(name, { kind, attributes }, parentOf(options));
}

/** Runs `work` as a part of the span. */
export const within = <T>(span: Span | null, work: () => T): T =>
  span === null ? work() : context.with(trace.setSpan(context.active(), span), work);

/** Marks a failure by its kind: messages can hold personal data. */
export function fail(span: Span | null, error?: unknown): void {
  span?.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'Error' });
}

/** Runs `work` in a span of its own. Without tracing it only runs. */
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

/** W3C trace context of a span, or of what runs now, for those who go on with it; `null` when nothing is traced. */
export function traceparent(span?: Span | null): string | null {
  if (!isTracing()) return null;
  const carrier: Record<string, string> = {};
  propagation.inject(span ? trace.setSpan(context.active(), span) : context.active(), carrier);
  return carrier.traceparent ?? null;
}

/** Trace id of what runs now, for log lines. */
export const currentTraceId = (): string | undefined => trace.getSpanContext(context.active())?.traceId;
