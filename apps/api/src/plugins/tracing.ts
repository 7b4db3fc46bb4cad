import { fail, isTracing, type Span, SpanKind, startSpan, within } from '@enterprise-access/tracing';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { operationOf } from './operation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    span: Span | null;
  }
}

const textOf = (header: string | string[] | undefined): string | null => (typeof header === 'string' ? header : null);

const spanOf = (request: FastifyRequest): Span | null =>
  startSpan(`${request.method} ${operationOf(request)}`, {
    kind: SpanKind.SERVER,
    parent: textOf(request.headers.traceparent),
    attributes: { 'http.request.method': request.method, 'request.id': request.id },
  });

/** One span per request, in the caller's trace. Without a collector no hook is registered. */
export const tracing = fp(async (app: FastifyInstance) => {
  app.decorateRequest('span', null);
  if (!isTracing()) return;
  app.addHook('onRequest', (request, _reply, done) => {
    request.span = spanOf(request);
    within(request.span, done);
  });
  app.addHook('onResponse', async ({ span }, { statusCode }) => {
    span?.setAttribute('http.response.status_code', statusCode);
    if (statusCode >= 500) fail(span);
    span?.end();
  });
});
