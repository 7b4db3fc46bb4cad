export {
  currentTraceId,
  fail,
  inSpan,
  type Span,
  SpanKind,
  type SpanOptions,
  startSpan,
  traceparent,
  within,
} from './span.ts';
export { isTracing } from './state.ts';
export { startTelemetry, type Telemetry } from './telemetry.ts';
