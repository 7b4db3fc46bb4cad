import type { StoredMessage } from '@enterprise-access/db';
import { fail, SpanKind, startSpan, traceparent } from '@enterprise-access/tracing';

export interface HandOver {
  /** The messages, each with the trace context of its hand-over, where it belongs to a trace. */
  readonly messages: readonly StoredMessage[];
  /** The hand-over itself. It is one for all of them, and a span in the trace of each. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

/** Makes the way out of the outbox a part of the traces that the messages belong to. */
export function handOver(verb: 'publish' | 'queue', messages: readonly StoredMessage[]): HandOver {
  const spans = messages.map(({ name, uuid, trace, created }) =>
    trace === null
      ? null
      : startSpan(`${verb} ${name}`, {
          kind: SpanKind.PRODUCER,
          parent: trace,
          attributes: { 'messaging.message.id': uuid, 'outbox.waited_ms': Date.now() - created.getTime() },
        }),
  );
  return {
    messages: messages.map((message, index) => {
      const span = spans[index];
      return span ? { ...message, trace: traceparent(span) } : message;
    }),
    async during(work) {
      try {
        return await work();
      } catch (error) {
        for (const span of spans) fail(span, error);
        throw error;
      } finally {
        for (const span of spans) span?.end();
      }
    },
  };
}
