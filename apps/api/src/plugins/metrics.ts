import type { Database } from '@enterprise-access/db';
import { processMetrics } from '@enterprise-access/platform';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { Gauge, Histogram } from 'prom-client';
import { operationOf } from './operation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Id of the operation behind a route, for logs and metrics. */
    operation?: string;
    /** Largest body of that operation, when its contract declares one. */
    bodyLimitBytes?: number | undefined;
  }
}

const isStream = (contentType: unknown): boolean => String(contentType).startsWith('text/event-stream');

interface Answered {
  readonly operation: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

/** Upper bound on buffered observations. */
const MAXIMUM_WAITING = 1_000;

/** `/metrics` for Prometheus. */
export const metrics = fp<{ readonly db: Database }>(async (app: FastifyInstance, { db }) => {
  const { registry, contentType, text } = processMetrics(db);
  // Recording each reply separately took longer than routing it, so replies are buffered and recorded when metrics
  // are scraped.
  let waiting: Answered[] = [];
  const requests = new Histogram({
    name: 'enterprise_access_request_seconds',
    help: 'Time from the first byte of a request to the last byte of its reply. Without streams, which last.',
    labelNames: ['operation', 'method', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
    collect: () => countWaiting(),
  });
  function countWaiting(): void {
    for (const { seconds, ...labels } of waiting) requests.observe(labels, seconds);
    waiting = [];
  }
  app.addHook('onResponse', (request, reply, done) => {
    if (!isStream(reply.getHeader('content-type'))) {
      const { method } = request;
      waiting.push({
        operation: operationOf(request),
        method,
        status: reply.statusCode,
        seconds: reply.elapsedTime / 1_000,
      });
      if (waiting.length >= MAXIMUM_WAITING) countWaiting();
    }
    done();
  });
  new Gauge({
    name: 'enterprise_access_open_streams',
    help: 'Callers who follow something at the moment.',
    registers: [registry],
    collect() {
      this.set(app.openStreams.size);
    },
  });
  app.get('/metrics', async (_request, reply) => reply.type(contentType).send(await text()));
});
