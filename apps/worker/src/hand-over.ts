import type { StoredMessage } from '@enterprise-access/db';
import { fail, SpanKind, startSpan, traceparent } from '@enterprise-access/tracing';

export interface HandOver {
  /** The messages, each with the trace context of its publish span if it has a trace. */
  readonly messages: readonly StoredMessage[];
  /** Runs the publishing of all messages; it is recorded as a span in the trace of each message. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

/** Adds the publishing from the outbox to the traces of the messages. */
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
